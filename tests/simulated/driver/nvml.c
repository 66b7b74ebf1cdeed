/* NVML: what the driver says about the machine. It ignores CUDA_VISIBLE_DEVICES. */
#include "machine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    NVML_UNINITIALIZED = 1,
    NVML_INVALID_ARGUMENT = 2,
    NVML_NOT_SUPPORTED = 3,
    NVML_NOT_FOUND = 6,
    NVML_INSUFFICIENT_SIZE = 7,
    NVML_TIMEOUT = 10,
    NVML_ARGUMENT_VERSION_MISMATCH = 25,
};

enum { XID_EVENT = 8, USERS = 64, LICENSE_TEXT = 128, LICENSES = 3 };

struct pci_info {
    char bus_id_legacy[16];
    unsigned domain, bus, device, device_id, subsystem_id;
    char bus_id[32];
};

struct memory_info {
    unsigned long long total, free, used;
};

struct memory_info_v2 {
    unsigned version;
    unsigned long long total, reserved, free, used;
};

struct process_info {
    unsigned pid;
    unsigned long long used;
    unsigned gpu_instance, compute_instance;
};

struct license {
    unsigned code, state;
    char information[LICENSE_TEXT], product[LICENSE_TEXT];
    unsigned enabled;
    struct {
        uint32_t year;
        uint16_t month, day, hour, minute, second;
        uint8_t status;
    } expiry;
};

struct licenses {
    int supported;
    unsigned count;
    struct license license[LICENSES];
};

struct event_data {
    void *device;
    unsigned long long type, data;
    unsigned gpu_instance, compute_instance;
};

static int initializations;

#define ENTER_NVML()                                                                                         \
    do {                                                                                                     \
        ENTER();                                                                                             \
        if (initializations <= 0) return NVML_UNINITIALIZED;                                                 \
    } while (0)

#define ENTER_DEVICE(handle)                                                                                 \
    do {                                                                                                     \
        ENTER_NVML();                                                                                        \
        if (index_of(handle) < 0) return NVML_INVALID_ARGUMENT;                                              \
    } while (0)

static int index_of(const void *handle) {
    intptr_t index = (intptr_t)handle - 1;
    return index >= 0 && index < the_machine()->gpus ? (int)index : -1;
}

static void *handle_of(int index) { return (void *)(intptr_t)(index + 1); }

static const struct gpu *gpu_of(const void *handle) { return &the_machine()->gpu[(intptr_t)handle - 1]; }

/* The position in the machine of the n-th whole GPU, or of the n-th instance of a GPU; -1 where there is
 * none. */
static int nth(unsigned number, int parent) {
    const struct machine *machine = the_machine();
    for (int i = 0; i < machine->gpus; i++)
        if (machine->gpu[i].parent == parent && number-- == 0) return i;
    return -1;
}

static unsigned number_of(int index) {
    const struct machine *machine = the_machine();
    unsigned number = 0;
    for (int i = 0; i < index; i++) number += machine->gpu[i].parent < 0;
    return number;
}

static int copy_text(char *target, unsigned length, const char *text) {
    if (strlen(text) >= length) return NVML_INSUFFICIENT_SIZE;
    strcpy(target, text);
    return SUCCESS;
}

static int give_handle(int index, void **handle) {
    if (index < 0) return NVML_INVALID_ARGUMENT;
    *handle = handle_of(index);
    return SUCCESS;
}

API int nvmlInit_v2(void) {
    ENTER();
    initializations++;
    return SUCCESS;
}

API int nvmlInitWithFlags(unsigned flags) {
    (void)flags;
    return nvmlInit_v2();
}

API int nvmlInit(void) { return nvmlInit_v2(); }

API int nvmlShutdown(void) {
    ENTER_NVML();
    initializations--;
    return SUCCESS;
}

API const char *nvmlErrorString(int code) {
    static const struct {
        int code;
        const char *text;
    } texts[] = {
        {0, "Success"},
        {1, "Uninitialized"},
        {2, "Invalid Argument"},
        {3, "Not Supported"},
        {4, "Insufficient Permissions"},
        {6, "Not Found"},
        {7, "Insufficient Size"},
        {9, "Driver Not Loaded"},
        {10, "Timeout"},
        {12, "NVML Shared Library Not Found"},
        {13, "Function Not Found"},
        {15, "GPU is lost"},
        {18, "Driver/library version mismatch"},
        {23, "GPU requires reset"},
        {25, "Argument version mismatch"},
        {999, "Unknown Error"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].code == code) return texts[i].text;
    return "Unknown Error";
}

/* ----------------------------------------------------------------------------------------- the system */

API int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    ENTER_NVML();
    return copy_text(version, length, the_machine()->driver);
}

API int nvmlSystemGetNVMLVersion(char *version, unsigned length) {
    char text[64];
    ENTER_NVML();
    snprintf(text, sizeof text, "%d.%s", the_machine()->cuda / 1000, the_machine()->driver);
    return copy_text(version, length, text);
}

API int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    ENTER();
    *version = the_machine()->cuda;
    return SUCCESS;
}

API int nvmlSystemGetCudaDriverVersion(int *version) { return nvmlSystemGetCudaDriverVersion_v2(version); }

API int nvmlSystemGetProcessName(unsigned pid, char *name, unsigned length) {
    struct user users[USERS];
    char path[64];
    ENTER_NVML();
    for (int gpu = 0; gpu < the_machine()->gpus; gpu++)
        for (int i = memory_users(gpu, users, USERS) - 1; i >= 0; i--)
            if (users[i].pid == (int)pid && users[i].name[0] != '\0')
                return copy_text(name, length, users[i].name);
    snprintf(path, sizeof path, "/proc/%u/cmdline", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) return NVML_NOT_FOUND;
    size_t read = fread(name, 1, length - 1, file);
    name[read] = '\0';
    fclose(file);
    return SUCCESS;
}

/* ------------------------------------------------------------------------------------------------ finding
 * GPUs */

API int nvmlDeviceGetCount_v2(unsigned *count) {
    ENTER_NVML();
    *count = number_of(the_machine()->gpus);
    return SUCCESS;
}

API int nvmlDeviceGetCount(unsigned *count) { return nvmlDeviceGetCount_v2(count); }

API int nvmlDeviceGetHandleByIndex_v2(unsigned number, void **handle) {
    ENTER_NVML();
    return give_handle(nth(number, -1), handle);
}

API int nvmlDeviceGetHandleByIndex(unsigned number, void **handle) {
    return nvmlDeviceGetHandleByIndex_v2(number, handle);
}

API int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    ENTER_NVML();
    for (int i = 0; i < the_machine()->gpus; i++)
        if (strcmp(the_machine()->gpu[i].uuid, uuid) == 0) return give_handle(i, handle);
    return NVML_NOT_FOUND;
}

API int nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, void **handle) {
    unsigned domain, bus;
    ENTER_NVML();
    if (sscanf(bus_id, "%x:%x", &domain, &bus) != 2 || bus == 0) return NVML_INVALID_ARGUMENT;
    int index = nth(bus - 1, -1);
    return index < 0 ? NVML_NOT_FOUND : give_handle(index, handle);
}

API int nvmlDeviceGetHandleByPciBusId(const char *bus_id, void **handle) {
    return nvmlDeviceGetHandleByPciBusId_v2(bus_id, handle);
}

API int nvmlDeviceGetMigMode(void *device, unsigned *current, unsigned *pending) {
    ENTER_DEVICE(device);
    *current = *pending = gpu_of(device)->instances > 0;
    return SUCCESS;
}

API int nvmlDeviceGetMaxMigDeviceCount(void *device, unsigned *count) {
    ENTER_DEVICE(device);
    *count = gpu_of(device)->instances > 0 ? 7 : 0;
    return SUCCESS;
}

API int nvmlDeviceGetMigDeviceHandleByIndex(void *device, unsigned number, void **instance) {
    ENTER_DEVICE(device);
    int index = nth(number, index_of(device));
    return index < 0 ? NVML_NOT_FOUND : give_handle(index, instance);
}

API int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *instance, void **device) {
    ENTER_DEVICE(instance);
    return give_handle(gpu_of(instance)->parent, device);
}

API int nvmlDeviceIsMigDeviceHandle(void *device, unsigned *is_instance) {
    ENTER_DEVICE(device);
    *is_instance = gpu_of(device)->parent >= 0;
    return SUCCESS;
}

/* -------------------------------------------------------------------------------------------- one GPU */

API int nvmlDeviceGetIndex(void *device, unsigned *number) {
    ENTER_DEVICE(device);
    *number = number_of(index_of(device));
    return SUCCESS;
}

API int nvmlDeviceGetMinorNumber(void *device, unsigned *number) {
    return nvmlDeviceGetIndex(device, number);
}

API int nvmlDeviceGetName(void *device, char *name, unsigned length) {
    ENTER_DEVICE(device);
    return copy_text(name, length, gpu_of(device)->name);
}

API int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length) {
    ENTER_DEVICE(device);
    return copy_text(uuid, length, gpu_of(device)->uuid);
}

API int nvmlDeviceGetPciInfo_v3(void *device, struct pci_info *info) {
    ENTER_DEVICE(device);
    *info = (struct pci_info){.bus = number_of(index_of(device)) + 1, .device_id = 0x1eb810de};
    snprintf(info->bus_id, sizeof info->bus_id, "%08X:%02X:00.0", 0u, info->bus & 0xffu);
    snprintf(info->bus_id_legacy, sizeof info->bus_id_legacy, "%04X:%02X:00.0", 0u, info->bus & 0xffu);
    return SUCCESS;
}

API int nvmlDeviceGetPciInfo_v2(void *device, struct pci_info *info) {
    return nvmlDeviceGetPciInfo_v3(device, info);
}

API int nvmlDeviceGetCudaComputeCapability(void *device, int *major, int *minor) {
    ENTER_DEVICE(device);
    *major = gpu_of(device)->major;
    *minor = gpu_of(device)->minor;
    return SUCCESS;
}

API int nvmlDeviceGetComputeMode(void *device, int *mode) {
    ENTER_DEVICE(device);
    *mode = gpu_of(device)->compute_mode;
    return SUCCESS;
}

API int nvmlDeviceGetMemoryInfo(void *device, struct memory_info *info) {
    ENTER_DEVICE(device);
    info->total = gpu_of(device)->memory;
    info->used = memory_used(index_of(device));
    info->free = info->total - info->used;
    return SUCCESS;
}

API int nvmlDeviceGetMemoryInfo_v2(void *device, struct memory_info_v2 *info) {
    struct memory_info plain;
    if (info->version != (sizeof *info | 2u << 24)) return NVML_ARGUMENT_VERSION_MISMATCH;
    int code = nvmlDeviceGetMemoryInfo(device, &plain);
    if (code != SUCCESS) return code;
    info->total = plain.total;
    info->free = plain.free;
    info->used = plain.used;
    info->reserved = 0;
    return SUCCESS;
}

API int nvmlDeviceGetComputeRunningProcesses_v3(void *device, unsigned *count,
                                                struct process_info *processes) {
    struct user users[USERS];
    ENTER_DEVICE(device);
    unsigned room = *count;
    *count = (unsigned)memory_users(index_of(device), users, USERS);
    if (*count > 0 && (processes == NULL || *count > room)) return NVML_INSUFFICIENT_SIZE;
    for (unsigned i = 0; i < *count; i++)
        processes[i] = (struct process_info){(unsigned)users[i].pid, users[i].bytes, ~0u, ~0u};
    return SUCCESS;
}

API int nvmlDeviceGetComputeRunningProcesses_v2(void *device, unsigned *count,
                                                struct process_info *processes) {
    return nvmlDeviceGetComputeRunningProcesses_v3(device, count, processes);
}

API int nvmlDeviceGetGraphicsRunningProcesses_v3(void *device, unsigned *count,
                                                 struct process_info *processes) {
    (void)processes;
    ENTER_DEVICE(device);
    *count = 0;
    return SUCCESS;
}

API int nvmlDeviceGetGraphicsRunningProcesses_v2(void *device, unsigned *count,
                                                 struct process_info *processes) {
    return nvmlDeviceGetGraphicsRunningProcesses_v3(device, count, processes);
}

API int nvmlDeviceGetCurrPcieLinkGeneration(void *device, unsigned *generation) {
    ENTER_DEVICE(device);
    *generation = 3;
    return SUCCESS;
}

API int nvmlDeviceGetCurrPcieLinkWidth(void *device, unsigned *width) {
    ENTER_DEVICE(device);
    *width = 16;
    return SUCCESS;
}

API int nvmlDeviceGetNvLinkState(void *device, unsigned link, unsigned *state) {
    (void)link, (void)state;
    ENTER_DEVICE(device);
    return NVML_NOT_SUPPORTED;
}

API int nvmlDeviceGetGpuFabricInfoV(void *device, void *info) {
    (void)info;
    ENTER_DEVICE(device);
    return NVML_NOT_SUPPORTED;
}

/* ---------------------------------------------------------------------------------------------- health */

API int nvmlDeviceGetRemappedRows(void *device, unsigned *corrected, unsigned *uncorrected, unsigned *pending,
                                  unsigned *failed) {
    ENTER_DEVICE(device);
    const struct gpu *gpu = gpu_of(device);
    *corrected = 0;
    *uncorrected = gpu->remap_pending || gpu->remap_failed;
    *pending = gpu->remap_pending;
    *failed = gpu->remap_failed;
    return SUCCESS;
}

API int nvmlDeviceGetCurrentClocksEventReasons(void *device, unsigned long long *reasons) {
    ENTER_DEVICE(device);
    *reasons = gpu_of(device)->clock_reasons;
    return SUCCESS;
}

API int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons) {
    return nvmlDeviceGetCurrentClocksEventReasons(device, reasons);
}

API int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *temperature) {
    ENTER_DEVICE(device);
    if (sensor != 0) return NVML_INVALID_ARGUMENT;
    *temperature = gpu_of(device)->temperature;
    return SUCCESS;
}

API int nvmlDeviceGetTemperatureThreshold(void *device, int threshold, unsigned *temperature) {
    enum { SLOWDOWN = 1 };
    ENTER_DEVICE(device);
    if (threshold != SLOWDOWN) return NVML_NOT_SUPPORTED;
    *temperature = gpu_of(device)->slowdown_temperature;
    return SUCCESS;
}

API int nvmlDeviceGetVirtualizationMode(void *device, int *mode) {
    enum { NONE = 0, VGPU_GUEST = 2 };
    ENTER_DEVICE(device);
    *mode = gpu_of(device)->virtual_gpu ? VGPU_GUEST : NONE;
    return SUCCESS;
}

API int nvmlDeviceGetGridLicensableFeatures_v4(void *device, struct licenses *licenses) {
    enum { COMPUTE = 4 };
    ENTER_DEVICE(device);
    const struct gpu *gpu = gpu_of(device);
    *licenses = (struct licenses){0};
    if (!gpu->virtual_gpu) return SUCCESS;
    licenses->supported = 1;
    licenses->count = 1;
    licenses->license[0].code = COMPUTE;
    licenses->license[0].state = licenses->license[0].enabled = gpu->licensed;
    strcpy(licenses->license[0].product, "NVIDIA Virtual Compute Server");
    return SUCCESS;
}

/* ---------------------------------------------------------------------------------------- ECC and Xid */

API int nvmlDeviceGetEccMode(void *device, unsigned *current, unsigned *pending) {
    ENTER_DEVICE(device);
    *current = *pending = 1;
    return SUCCESS;
}

API int nvmlDeviceGetTotalEccErrors(void *device, int kind, int counter, unsigned long long *count) {
    enum { UNCORRECTED = 1 };
    (void)counter;
    ENTER_DEVICE(device);
    *count = kind == UNCORRECTED ? (unsigned long long)gpu_of(device)->uncorrected_ecc : 0;
    return SUCCESS;
}

struct event_set {
    void *device[MAX_GPUS];
    int devices;
    int delivered;
};

API int nvmlEventSetCreate(struct event_set **set) {
    ENTER_NVML();
    *set = calloc(1, sizeof **set);
    return SUCCESS;
}

API int nvmlEventSetFree(struct event_set *set) {
    ENTER_NVML();
    free(set);
    return SUCCESS;
}

API int nvmlDeviceGetSupportedEventTypes(void *device, unsigned long long *types) {
    ENTER_DEVICE(device);
    *types = XID_EVENT;
    return SUCCESS;
}

API int nvmlDeviceRegisterEvents(void *device, unsigned long long types, struct event_set *set) {
    ENTER_DEVICE(device);
    if ((types & ~(unsigned long long)XID_EVENT) != 0) return NVML_NOT_SUPPORTED;
    if (set->devices < MAX_GPUS) set->device[set->devices++] = device;
    return SUCCESS;
}

/* Each registered GPU that has an Xid gives it once. */
API int nvmlEventSetWait_v2(struct event_set *set, struct event_data *data, unsigned milliseconds) {
    ENTER_NVML();
    while (set->delivered < set->devices) {
        void *device = set->device[set->delivered++];
        int xid = gpu_of(device)->xid;
        if (xid == 0) continue;
        *data = (struct event_data){device, XID_EVENT, (unsigned long long)xid, ~0u, ~0u};
        return SUCCESS;
    }
    struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    nanosleep(&rest, NULL);
    return NVML_TIMEOUT;
}

API int nvmlEventSetWait(struct event_set *set, struct event_data *data, unsigned milliseconds) {
    return nvmlEventSetWait_v2(set, data, milliseconds);
}
