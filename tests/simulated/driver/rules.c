/* The file that describes the machine, the rules by which calls fail, and CUDA_VISIBLE_DEVICES.
 *
 * One statement per line; `gpu` and `instance` begin a device, whose statements follow it:
 *   driver 555.42.06 | cuda 12050 | runtime 12050 | cudnn 90300 | context-memory BYTES | library-memory BYTES
 *   gpu UUID | instance UUID | name TEXT | compute-capability 7.5 | memory BYTES | compute-mode 3 | xid 79 |
 *   ecc 4 | remap PENDING FAILED | clocks REASONS | temperature NOW SLOWDOWN | virtual LICENSED |
 *   holder PID BYTES NAME
 *   fault FUNCTION CODE SKIP COUNT    FUNCTION may hold wildcards; CODE may be `hang`; COUNT 0 means always
 */
#include "machine.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_RULES = 64, HANG = INT_MIN };

struct rule {
    char function[NAME_LENGTH];
    int code;
    long skip, count;
    long calls; /* of this process */
};

static struct machine
    *machine; /* a new one for each version of the file: readers of the old one aren't disturbed */
static struct rule rules[MAX_RULES];
static int rule_count;
static struct stat seen;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void path_beside(char *path, const char *name) {
    const char *folder = getenv("SIMULATED_GPU");
    if (folder == NULL) {
        fprintf(stderr, "simulated GPU: SIMULATED_GPU names no folder\n");
        abort();
    }
    snprintf(path, PATH_MAX, "%s/%s", folder, name);
}

static void add_rule(const char *text, const struct rule *before, int count_before) {
    struct rule *rule = &rules[rule_count];
    char code[32];
    *rule = (struct rule){0};
    if (rule_count == MAX_RULES ||
        sscanf(text, "%95s %31s %ld %ld", rule->function, code, &rule->skip, &rule->count) != 4)
        return;
    rule->code = strcmp(code, "hang") == 0 ? HANG : atoi(code);
    for (int i = 0; i < count_before; i++)
        if (strcmp(before[i].function, rule->function) == 0 && before[i].code == rule->code)
            rule->calls = before[i].calls;
    rule_count++;
}

static struct gpu *add_gpu(struct machine *described, const char *uuid, bool instance) {
    struct gpu *gpu = &described->gpu[described->gpus];
    *gpu = (struct gpu){.parent = -1};
    snprintf(gpu->uuid, sizeof gpu->uuid, "%s", uuid);
    for (int i = described->gpus - 1; instance && i >= 0 && gpu->parent < 0; i--)
        if (described->gpu[i].parent < 0) {
            gpu->parent = i;
            described->gpu[i].instances++;
        }
    described->gpus++;
    return gpu;
}

static void describe_gpu(struct gpu *gpu, const char *key, const char *value) {
    struct holder *holder = &gpu->holder[gpu->holders];
    if (strcmp(key, "name") == 0) snprintf(gpu->name, sizeof gpu->name, "%s", value);
    else if (strcmp(key, "compute-capability") == 0) sscanf(value, "%d.%d", &gpu->major, &gpu->minor);
    else if (strcmp(key, "memory") == 0) gpu->memory = strtoull(value, NULL, 10);
    else if (strcmp(key, "compute-mode") == 0) gpu->compute_mode = atoi(value);
    else if (strcmp(key, "xid") == 0) gpu->xid = atoi(value);
    else if (strcmp(key, "ecc") == 0) gpu->uncorrected_ecc = atol(value);
    else if (strcmp(key, "remap") == 0) sscanf(value, "%d %d", &gpu->remap_pending, &gpu->remap_failed);
    else if (strcmp(key, "clocks") == 0) gpu->clock_reasons = strtoull(value, NULL, 0);
    else if (strcmp(key, "temperature") == 0)
        sscanf(value, "%u %u", &gpu->temperature, &gpu->slowdown_temperature);
    else if (strcmp(key, "virtual") == 0) gpu->virtual_gpu = 1, gpu->licensed = atoi(value);
    else if (strcmp(key, "holder") == 0 && gpu->holders < MAX_HOLDERS &&
             sscanf(value, "%d %zu %95[^\n]", &holder->pid, &holder->bytes, holder->name) == 3)
        gpu->holders++;
}

static void read_line(struct machine *described, char *line, struct gpu **gpu, const struct rule *before,
                      int count_before) {
    line[strcspn(line, "\n")] = '\0';
    char *value = strchr(line, ' ');
    if (value == NULL) return;
    *value++ = '\0';
    if (strcmp(line, "driver") == 0) snprintf(described->driver, sizeof described->driver, "%s", value);
    else if (strcmp(line, "cuda") == 0) described->cuda = atoi(value);
    else if (strcmp(line, "runtime") == 0) described->runtime = atoi(value);
    else if (strcmp(line, "cudnn") == 0) described->cudnn = atoi(value);
    else if (strcmp(line, "context-memory") == 0) described->context_memory = strtoull(value, NULL, 10);
    else if (strcmp(line, "library-memory") == 0) described->library_memory = strtoull(value, NULL, 10);
    else if (strcmp(line, "fault") == 0) add_rule(value, before, count_before);
    else if (described->gpus < MAX_GPUS && (strcmp(line, "gpu") == 0 || strcmp(line, "instance") == 0))
        *gpu = add_gpu(described, value, strcmp(line, "instance") == 0);
    else if (*gpu != NULL) describe_gpu(*gpu, line, value);
}

/* Reads the file again if it is another one than at the last call. The caller holds the lock. */
static void refresh(void) {
    struct stat now;
    struct rule before[MAX_RULES];
    struct gpu *gpu = NULL;
    int count_before = rule_count;
    char path[PATH_MAX], line[512];
    path_beside(path, "machine");
    bool known = machine != NULL && stat(path, &now) == 0 && now.st_ino == seen.st_ino &&
                 now.st_mtim.tv_sec == seen.st_mtim.tv_sec && now.st_mtim.tv_nsec == seen.st_mtim.tv_nsec;
    if (known) return;
    FILE *file = fopen(path, "r");
    struct machine *next = calloc(1, sizeof *next);
    if (file == NULL || next == NULL) {
        fprintf(stderr, "simulated GPU: %s can't be read\n", path);
        abort();
    }
    fstat(fileno(file), &seen);
    memcpy(before, rules, sizeof before);
    rule_count = 0;
    while (fgets(line, sizeof line, file) != NULL) read_line(next, line, &gpu, before, count_before);
    machine = next;
    fclose(file);
}

const struct machine *the_machine(void) {
    pthread_mutex_lock(&lock);
    refresh();
    const struct machine *now = machine;
    pthread_mutex_unlock(&lock);
    return now;
}

static void note_call(const char *function) {
    static int wanted = -1;
    if (wanted < 0) wanted = getenv("SIMULATED_GPU_CALLS") != NULL;
    if (!wanted) return;
    char path[PATH_MAX];
    path_beside(path, "calls");
    FILE *file = fopen(path, "a");
    if (file == NULL) return;
    fprintf(file, "%d %s\n", (int)getpid(), function);
    fclose(file);
}

int rule_for(const char *function) {
    int code = 0;
    pthread_mutex_lock(&lock);
    refresh();
    note_call(function);
    for (int i = 0; i < rule_count; i++) {
        struct rule *rule = &rules[i];
        if (fnmatch(rule->function, function, 0) != 0) continue;
        long call = rule->calls++;
        if (code == 0 && call >= rule->skip && (rule->count == 0 || call < rule->skip + rule->count))
            code = rule->code;
    }
    pthread_mutex_unlock(&lock);
    while (code == HANG) pause();
    return code;
}

int rule_for_kernel(const char *kernel) {
    char name[NAME_LENGTH];
    snprintf(name, sizeof name, "kernel:%s", kernel);
    return rule_for(name);
}

/* ------------------------------------------------------------------------------- CUDA_VISIBLE_DEVICES */

/* Whether CUDA can show this device at all: a GPU that is cut into instances shows only its first instance.
 */
static bool can_show(int index) {
    const struct gpu *gpu = &machine->gpu[index];
    if (gpu->parent < 0) return gpu->instances == 0;
    return index == 0 || machine->gpu[index - 1].parent != gpu->parent;
}

static int device_by_uuid(const char *token) {
    int found = -1;
    for (int i = 0; i < machine->gpus; i++) {
        if (strncmp(machine->gpu[i].uuid, token, strlen(token)) != 0) continue;
        if (found >= 0) return -1;
        found = i;
    }
    return found;
}

/* The n-th device that CUDA would show without the variable, or -1. */
static int device_by_number(long number) {
    for (int i = 0; i < machine->gpus; i++)
        if (can_show(i) && number-- == 0) return i;
    return -1;
}

static int device_by_token(const char *token) {
    char *end;
    if (strncmp(token, "GPU-", 4) == 0 || strncmp(token, "MIG-", 4) == 0) return device_by_uuid(token);
    long number = strtol(token, &end, 10);
    return end == token || number < 0 ? -1 : device_by_number(number);
}

int visible_gpus(int *indices) {
    int count = 0;
    const char *variable = getenv("CUDA_VISIBLE_DEVICES");
    the_machine();
    if (variable == NULL) {
        while (device_by_number(count) >= 0) {
            indices[count] = device_by_number(count);
            count++;
        }
        return count;
    }
    char *copy = strdup(variable), *rest = copy, *token;
    while (count < MAX_GPUS && (token = strsep(&rest, ",")) != NULL) {
        int device = device_by_token(token + strspn(token, " "));
        if (device < 0) break;
        for (int i = 0; i < count; i++)
            if (indices[i] == device) {
                free(copy);
                return 0;
            }
        indices[count++] = device;
    }
    free(copy);
    return count;
}
