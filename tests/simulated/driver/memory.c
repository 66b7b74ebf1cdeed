/* Device memory: host memory that is reserved and filled only where it is written, and the book of who uses
 * how much.
 *
 * The book is a file that all processes map. A process writes only its own lines; those of the dead are
 * struck out.
 */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_LINES = 512 };

struct line {
    int pid, gpu, contexts;
    size_t bytes;
};

struct allocation {
    char *address;
    size_t bytes, mapped;
    int gpu, pid;
    struct allocation *next;
};

static struct line *book;
static int book_file = -1;
static struct allocation *allocations;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void open_book(void) {
    char path[PATH_MAX];
    const char *folder = getenv("SIMULATED_GPU");
    snprintf(path, sizeof path, "%s/memory", folder != NULL ? folder : ".");
    book_file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (book_file < 0 || ftruncate(book_file, MAX_LINES * sizeof *book) != 0) {
        fprintf(stderr, "simulated GPU: %s: %s\n", path, strerror(errno));
        abort();
    }
    book = mmap(NULL, MAX_LINES * sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED, book_file, 0);
}

static bool is_dead(int pid) {
    char path[64], state = 'Z';
    if (kill(pid, 0) != 0 && errno == ESRCH) return true;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) return true;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 'R';
    fclose(file);
    return state == 'Z' || state == 'X';
}

/* Holds off this process's threads and all other processes. */
static void take_book(void) {
    pthread_mutex_lock(&lock);
    if (book == NULL) open_book();
    struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    while (fcntl(book_file, F_SETLKW, &range) != 0 && errno == EINTR) continue;
    for (int i = 0; i < MAX_LINES; i++)
        if (book[i].pid != 0 && book[i].pid != getpid() && is_dead(book[i].pid)) book[i] = (struct line){0};
}

static void return_book(void) {
    struct flock range = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    fcntl(book_file, F_SETLK, &range);
    pthread_mutex_unlock(&lock);
}

static struct line *my_line(int gpu) {
    struct line *empty = NULL;
    for (int i = 0; i < MAX_LINES; i++) {
        if (book[i].pid == getpid() && book[i].gpu == gpu) return &book[i];
        if (book[i].pid == 0 && empty == NULL) empty = &book[i];
    }
    if (empty == NULL) abort();
    *empty = (struct line){.pid = getpid(), .gpu = gpu};
    return empty;
}

static size_t used(int gpu) {
    const struct machine *machine = the_machine();
    size_t bytes = 0;
    for (int i = 0; i < machine->gpu[gpu].holders; i++) bytes += machine->gpu[gpu].holder[i].bytes;
    for (int i = 0; i < MAX_LINES; i++)
        if (book[i].pid != 0 && book[i].gpu == gpu)
            bytes += book[i].bytes + book[i].contexts * machine->context_memory;
    return bytes < machine->gpu[gpu].memory ? bytes : machine->gpu[gpu].memory;
}

size_t memory_used(int gpu) {
    const struct machine *machine = the_machine();
    take_book();
    size_t bytes = used(gpu);
    for (int i = 0; i < machine->gpus; i++)
        if (machine->gpu[i].parent == gpu) bytes += used(i);
    return_book();
    return bytes;
}

int memory_users(int gpu, struct user *users, int limit) {
    const struct machine *machine = the_machine();
    int count = 0;
    take_book();
    for (int i = 0; i < machine->gpu[gpu].holders && count < limit; i++) {
        const struct holder *holder = &machine->gpu[gpu].holder[i];
        users[count].pid = holder->pid;
        users[count].bytes = holder->bytes;
        memcpy(users[count++].name, holder->name, sizeof holder->name);
    }
    for (int i = 0; i < MAX_LINES && count < limit; i++) {
        if (book[i].pid == 0 || book[i].gpu != gpu) continue;
        users[count].pid = book[i].pid;
        users[count].bytes = book[i].bytes + book[i].contexts * machine->context_memory;
        users[count++].name[0] = '\0';
    }
    return_book();
    return count;
}

/* ------------------------------------------------------------------------------------------- contexts */

static bool is_taken_by_others(int gpu) {
    if (the_machine()->gpu[gpu].holders > 0) return true;
    for (int i = 0; i < MAX_LINES; i++)
        if (book[i].pid != 0 && book[i].pid != getpid() && book[i].gpu == gpu) return true;
    return false;
}

int memory_take_context(int gpu) {
    enum { PROHIBITED = 2, EXCLUSIVE_PROCESS = 3 };
    const struct machine *machine = the_machine();
    const struct gpu *device = &machine->gpu[gpu];
    int code = SUCCESS;
    take_book();
    if (device->compute_mode == PROHIBITED ||
        (device->compute_mode == EXCLUSIVE_PROCESS && is_taken_by_others(gpu)))
        code = DEVICE_UNAVAILABLE;
    else if (used(gpu) + machine->context_memory > device->memory) code = OUT_OF_MEMORY;
    else my_line(gpu)->contexts++;
    return_book();
    return code;
}

void memory_drop_context(int gpu) {
    take_book();
    if (my_line(gpu)->contexts > 0) my_line(gpu)->contexts--;
    return_book();
}

/* ---------------------------------------------------------------------------------------- allocations */

int memory_allocate(int gpu, size_t bytes, void **address) {
    const struct machine *machine = the_machine();
    size_t page = (size_t)sysconf(_SC_PAGESIZE), mapped = (bytes + page - 1) / page * page;
    int code = OUT_OF_MEMORY;
    if (bytes == 0) return INVALID_VALUE;
    take_book();
    if (mapped >= bytes && used(gpu) + bytes <= machine->gpu[gpu].memory) {
        void *memory =
            mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        struct allocation *allocation = malloc(sizeof *allocation);
        if (memory != MAP_FAILED && allocation != NULL) {
            *allocation = (struct allocation){memory, bytes, mapped, gpu, getpid(), allocations};
            allocations = allocation;
            my_line(gpu)->bytes += bytes;
            *address = memory;
            code = SUCCESS;
        }
    }
    return_book();
    return code;
}

int memory_for_library(void **reserve) {
    size_t bytes = the_machine()->library_memory;
    *reserve = NULL;
    return bytes == 0 || current_device() < 0 ? SUCCESS : memory_allocate(current_device(), bytes, reserve);
}

int memory_free(void *address) {
    int code = INVALID_VALUE;
    if (address == NULL) return SUCCESS;
    take_book();
    for (struct allocation **link = &allocations; *link != NULL; link = &(*link)->next) {
        struct allocation *allocation = *link;
        if (allocation->address != address) continue;
        if (allocation->pid == getpid()) my_line(allocation->gpu)->bytes -= allocation->bytes;
        munmap(allocation->address, allocation->mapped);
        *link = allocation->next;
        free(allocation);
        code = SUCCESS;
        break;
    }
    return_book();
    return code;
}

int memory_device_of(const void *address, void **base, size_t *size) {
    int gpu = -1;
    pthread_mutex_lock(&lock);
    for (struct allocation *a = allocations; a != NULL; a = a->next) {
        if ((const char *)address < a->address || (const char *)address >= a->address + a->bytes) continue;
        gpu = a->gpu;
        if (base != NULL) *base = a->address;
        if (size != NULL) *size = a->bytes;
        break;
    }
    pthread_mutex_unlock(&lock);
    return gpu;
}

/* ------------------------------------------------------------------------------------------ libcuda's part
 * of it */

API int cuMemGetInfo_v2(size_t *free_bytes, size_t *total) {
    ENTER_CONTEXT();
    int gpu = current_device();
    if (gpu < 0) return INVALID_CONTEXT;
    *total = the_machine()->gpu[gpu].memory;
    *free_bytes = *total - memory_used(gpu);
    return SUCCESS;
}

API int cuMemAlloc_v2(void **address, size_t bytes) {
    ENTER_CONTEXT();
    return current_device() < 0 ? INVALID_CONTEXT : memory_allocate(current_device(), bytes, address);
}

API int cuMemFree_v2(void *address) {
    ENTER_CONTEXT();
    return memory_free(address);
}

API int cuMemHostAlloc(void **address, size_t bytes, unsigned flags) {
    (void)flags;
    ENTER_CONTEXT();
    return posix_memalign(address, 4096, bytes) == 0 ? SUCCESS : OUT_OF_MEMORY;
}

API int cuMemAllocHost_v2(void **address, size_t bytes) { return cuMemHostAlloc(address, bytes, 0); }

API int cuMemFreeHost(void *address) {
    ENTER();
    free(address);
    return SUCCESS;
}

SUCCEEDS(cuMemHostRegister_v2, void *, size_t, unsigned)
SUCCEEDS(cuMemHostUnregister, void *)

API int cuMemGetAddressRange_v2(void **base, size_t *bytes, void *address) {
    ENTER_CONTEXT();
    return memory_device_of(address, base, bytes) < 0 ? NOT_FOUND : SUCCESS;
}

API int cuPointerGetAttribute(void *value, int attribute, void *address) {
    enum { CONTEXT = 1, MEMORY_TYPE = 2, IS_MANAGED = 8, DEVICE_ORDINAL = 9, DEVICE_MEMORY = 2 };
    ENTER_CONTEXT();
    int gpu = memory_device_of(address, NULL, NULL);
    if (gpu < 0) return INVALID_VALUE;
    if (attribute == MEMORY_TYPE) *(unsigned *)value = DEVICE_MEMORY;
    else if (attribute == CONTEXT) *(void **)value = context_of_device(gpu);
    else if (attribute == IS_MANAGED) *(unsigned *)value = 0;
    else if (attribute == DEVICE_ORDINAL) *(int *)value = ordinal_of_device(gpu);
    else {
        fprintf(stderr, "simulated GPU: the attribute %d of an address is not simulated\n", attribute);
        return NOT_SUPPORTED;
    }
    return SUCCESS;
}

#define COPY(name, ...)                                                                                      \
    API int name(void *target, const void *source, size_t bytes, ##__VA_ARGS__) {                            \
        ENTER_CONTEXT();                                                                                     \
        memmove(target, source, bytes);                                                                      \
        return SUCCESS;                                                                                      \
    }

COPY(cuMemcpy)
COPY(cuMemcpyHtoD_v2)
COPY(cuMemcpyDtoH_v2)
COPY(cuMemcpyDtoD_v2)
COPY(cuMemcpyAsync, void *stream __attribute__((unused)))
COPY(cuMemcpyHtoDAsync_v2, void *stream __attribute__((unused)))
COPY(cuMemcpyDtoHAsync_v2, void *stream __attribute__((unused)))
COPY(cuMemcpyDtoDAsync_v2, void *stream __attribute__((unused)))

API int cuMemcpyPeerAsync(void *target, void *target_context, const void *source, void *source_context,
                          size_t bytes, void *stream) {
    (void)target_context, (void)source_context, (void)stream;
    ENTER_CONTEXT();
    memmove(target, source, bytes);
    return SUCCESS;
}

#define FILL(name, type, ...)                                                                                \
    API int name(type *target, type value, size_t count, ##__VA_ARGS__) {                                    \
        ENTER_CONTEXT();                                                                                     \
        for (size_t i = 0; i < count; i++) target[i] = value;                                                \
        return SUCCESS;                                                                                      \
    }

FILL(cuMemsetD8_v2, unsigned char)
FILL(cuMemsetD16_v2, unsigned short)
FILL(cuMemsetD32_v2, unsigned)
FILL(cuMemsetD8Async, unsigned char, void *stream __attribute__((unused)))
FILL(cuMemsetD16Async, unsigned short, void *stream __attribute__((unused)))
FILL(cuMemsetD32Async, unsigned, void *stream __attribute__((unused)))
