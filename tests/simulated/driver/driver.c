/* libcuda: initialisation, devices, contexts, streams and events, modules and launches. Everything runs at
 * once, in the caller's thread. */
#include "machine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct context {
    int ordinal, gpu, references, fault;
    unsigned flags;
};

static pid_t owner; /* the process that initialised CUDA, 0 before: its forks can't use it */
static int visible[MAX_GPUS], visible_number;
static struct context contexts[MAX_GPUS];
static __thread struct context *current;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --------------------------------------------------------------------------------------------- errors */

static const struct {
    int code;
    const char *name, *text;
} errors[] = {
    {0, "CUDA_SUCCESS", "no error"},
    {1, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {2, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {3, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {34, "CUDA_ERROR_STUB_LIBRARY", "CUDA driver is a stub library"},
    {35, "cudaErrorInsufficientDriver", "CUDA driver version is insufficient for CUDA runtime version"},
    {46, "CUDA_ERROR_DEVICE_UNAVAILABLE", "CUDA-capable device(s) is/are busy or unavailable"},
    {98, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {100, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {101, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {200, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {201, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {214, "CUDA_ERROR_ECC_UNCORRECTABLE", "uncorrectable ECC error encountered"},
    {218, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain."},
    {304, "CUDA_ERROR_OPERATING_SYSTEM", "OS call failed or operation not supported on this OS"},
    {400, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {500, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {700, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {701, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {702, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {715, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"},
    {716, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {719, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {801, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {802, "CUDA_ERROR_SYSTEM_NOT_READY", "system not yet initialized"},
    {803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH",
     "system has unsupported display driver / cuda driver combination"},
    {804, "CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE",
     "forward compatibility was attempted on non supported HW"},
    {999, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

static size_t error_index(int code) {
    size_t count = sizeof errors / sizeof *errors;
    for (size_t i = 0; i < count; i++)
        if (errors[i].code == code) return i;
    return count - 1;
}

const char *error_name(int code) { return errors[error_index(code)].name; }
const char *error_text(int code) { return errors[error_index(code)].text; }

API int cuGetErrorName(int code, const char **name) {
    *name = error_name(code);
    return SUCCESS;
}

API int cuGetErrorString(int code, const char **text) {
    *text = error_text(code);
    return SUCCESS;
}

static bool kills_context(int code) {
    return code == 214 || code == 220 || code == 700 || code == 702 || (code >= 710 && code <= 719);
}

static bool is_usable(void) { return owner == getpid(); }

int context_state(int code) {
    if (!is_usable()) return NOT_INITIALIZED;
    if (current == NULL) return code;
    if (current->fault == SUCCESS && kills_context(code)) current->fault = code;
    return current->fault != SUCCESS ? current->fault : code;
}

int kill_context(int code) {
    if (current != NULL && current->fault == SUCCESS) current->fault = code;
    return code;
}

/* -------------------------------------------------------------------------------------------- devices */

int initialize(void) {
    if (owner != 0 && !is_usable()) return NOT_INITIALIZED;
    pthread_mutex_lock(&lock);
    if (owner == 0) visible_number = visible_gpus(visible);
    if (visible_number > 0) owner = getpid();
    pthread_mutex_unlock(&lock);
    return visible_number > 0 ? SUCCESS : NO_DEVICE;
}

int visible_count(void) { return visible_number; }

int device_of_ordinal(int ordinal) {
    return owner != 0 && ordinal >= 0 && ordinal < visible_number ? visible[ordinal] : -1;
}

int current_device(void) { return current == NULL ? -1 : current->gpu; }

int ordinal_of_device(int gpu) {
    for (int i = 0; i < visible_number; i++)
        if (visible[i] == gpu) return i;
    return -1;
}

void *context_of_device(int gpu) { return &contexts[ordinal_of_device(gpu)]; }

#define ENTER_ORDINAL(ordinal)                                                                               \
    do {                                                                                                     \
        ENTER();                                                                                             \
        if (!is_usable()) return NOT_INITIALIZED;                                                            \
        if (device_of_ordinal(ordinal) < 0) return INVALID_DEVICE;                                           \
    } while (0)

static const struct gpu *gpu_of(int ordinal) { return &the_machine()->gpu[device_of_ordinal(ordinal)]; }

API int cuInit(unsigned flags) {
    (void)flags;
    ENTER();
    return initialize();
}

API int cuDriverGetVersion(int *version) {
    ENTER();
    *version = the_machine()->cuda;
    return SUCCESS;
}

API int cuDeviceGetCount(int *count) {
    ENTER();
    if (!is_usable()) return NOT_INITIALIZED;
    *count = visible_number;
    return SUCCESS;
}

API int cuDeviceGet(int *device, int ordinal) {
    ENTER_ORDINAL(ordinal);
    *device = ordinal;
    return SUCCESS;
}

API int cuDeviceGetName(char *name, int length, int device) {
    ENTER_ORDINAL(device);
    snprintf(name, (size_t)length, "%s", gpu_of(device)->name);
    return SUCCESS;
}

API int cuDeviceGetUuid_v2(unsigned char *uuid, int device) {
    ENTER_ORDINAL(device);
    const char *digit = strchr(gpu_of(device)->uuid, '-');
    memset(uuid, 0, 16);
    for (int nibble = 0; digit != NULL && *digit != '\0' && nibble < 32; digit++) {
        const char *digits = "0123456789abcdef", *found = strchr(digits, *digit);
        if (found == NULL) continue;
        uuid[nibble / 2] |= (unsigned char)((found - digits) << (nibble % 2 == 0 ? 4 : 0));
        nibble++;
    }
    return SUCCESS;
}

API int cuDeviceGetUuid(unsigned char *uuid, int device) { return cuDeviceGetUuid_v2(uuid, device); }

API int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    ENTER_ORDINAL(device);
    *bytes = gpu_of(device)->memory;
    return SUCCESS;
}

API int cuDeviceGetPCIBusId(char *text, int length, int device) {
    ENTER_ORDINAL(device);
    const struct machine *machine = the_machine();
    int index = device_of_ordinal(device), bus = 1;
    if (machine->gpu[index].parent >= 0) index = machine->gpu[index].parent;
    for (int i = 0; i < index; i++) bus += machine->gpu[i].parent < 0;
    snprintf(text, (size_t)length, "0000:%02X:00.0", (unsigned)bus);
    return SUCCESS;
}

API int cuDeviceCanAccessPeer(int *yes, int device, int peer) {
    ENTER_ORDINAL(device);
    *yes = device != peer;
    return SUCCESS;
}

API int cuDeviceGetP2PAttribute(int *value, int attribute, int device, int peer) {
    (void)attribute, (void)peer;
    ENTER_ORDINAL(device);
    *value = 0;
    return SUCCESS;
}

/* Attributes by the numbers of the driver's interface; a plausible card of forty multiprocessors. */
static int attribute_of(const struct gpu *gpu, int attribute) {
    static const struct {
        int attribute, value;
    } values[] = {
        {1, 1024},                                /* threads per block */
        {2, 1024},        {3, 1024},  {4, 64},    /* block dimensions */
        {5, 2147483647},  {6, 65535}, {7, 65535}, /* grid dimensions */
        {8, 49152},                               /* shared memory per block */
        {9, 65536},                               /* constant memory */
        {10, 32},                                 /* warp */
        {11, 2147483647},                         /* pitch */
        {12, 65536},                              /* registers per block */
        {13, 1590000},                            /* clock, kHz */
        {14, 512},                                /* texture alignment */
        {16, 40},                                 /* multiprocessors */
        {19, 1},                                  /* maps host memory */
        {31, 1},                                  /* concurrent kernels */
        {36, 5001000},                            /* memory clock, kHz */
        {37, 256},                                /* memory bus, bits */
        {38, 4194304},                            /* L2, bytes */
        {39, 1024},                               /* threads per multiprocessor */
        {40, 3},                                  /* copy engines */
        {41, 1},                                  /* unified addressing */
        {81, 65536},                              /* shared memory per multiprocessor */
        {82, 65536},                              /* registers per multiprocessor */
        {83, 1},                                  /* managed memory */
        {97, 65536},                              /* shared memory per block, opt-in */
        {106, 16},                                /* blocks per multiprocessor */
        {111, 1024},                              /* reserved shared memory per block */
    };
    if (attribute == 20) return gpu->compute_mode;
    if (attribute == 32) return 1; /* ECC */
    if (attribute == 75) return gpu->major;
    if (attribute == 76) return gpu->minor;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i].attribute == attribute) return values[i].value;
    return 0;
}

API int cuDeviceGetAttribute(int *value, int attribute, int device) {
    ENTER_ORDINAL(device);
    *value = attribute == 33 ? device + 1 : attribute_of(gpu_of(device), attribute); /* 33: the PCI bus */
    return SUCCESS;
}

/* ------------------------------------------------------------------------------------------- contexts */

API int cuDevicePrimaryCtxRetain(struct context **context, int device) {
    ENTER_ORDINAL(device);
    struct context *primary = &contexts[device];
    int code = SUCCESS;
    pthread_mutex_lock(&lock);
    if (primary->references == 0) {
        code = memory_take_context(device_of_ordinal(device));
        *primary =
            (struct context){.ordinal = device, .gpu = device_of_ordinal(device), .flags = primary->flags};
    }
    if (code == SUCCESS) {
        primary->references++;
        *context = primary;
    }
    pthread_mutex_unlock(&lock);
    return code;
}

API int cuDevicePrimaryCtxRelease_v2(int device) {
    ENTER_ORDINAL(device);
    pthread_mutex_lock(&lock);
    if (contexts[device].references > 0 && --contexts[device].references == 0)
        memory_drop_context(contexts[device].gpu);
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}

API int cuDevicePrimaryCtxSetFlags_v2(int device, unsigned flags) {
    ENTER_ORDINAL(device);
    contexts[device].flags = flags;
    return SUCCESS;
}

API int cuDevicePrimaryCtxGetState(int device, unsigned *flags, int *active) {
    ENTER_ORDINAL(device);
    *flags = contexts[device].flags;
    *active = contexts[device].references > 0;
    return SUCCESS;
}

API int cuCtxGetCurrent(struct context **context) {
    ENTER();
    *context = current;
    return SUCCESS;
}

API int cuCtxSetCurrent(struct context *context) {
    ENTER();
    current = context;
    return SUCCESS;
}

int make_current(int ordinal) {
    if (current != NULL && current->ordinal == ordinal) return SUCCESS;
    int code = initialize();
    if (code == SUCCESS && device_of_ordinal(ordinal) < 0) code = INVALID_DEVICE;
    struct context *context = &contexts[ordinal];
    if (code == SUCCESS && context->references == 0) code = cuDevicePrimaryCtxRetain(&context, ordinal);
    if (code == SUCCESS) current = context;
    return code;
}

API int cuCtxGetDevice(int *device) {
    ENTER();
    if (current == NULL) return INVALID_CONTEXT;
    *device = current->ordinal;
    return SUCCESS;
}

SUCCEEDS(cuCtxSynchronize, void)
SUCCEEDS(cuCtxEnablePeerAccess, struct context *, unsigned)

API int cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    ENTER_CONTEXT();
    *least = 0;
    *greatest = -5;
    return SUCCESS;
}

API int cuCtxGetApiVersion(struct context *context, unsigned *version) {
    (void)context;
    ENTER();
    *version = 3020;
    return SUCCESS;
}

/* ----------------------------------------------------------------------------------------- streams and
 * events */

struct event {
    struct timespec when;
};

API int cuStreamCreate(void **stream, unsigned flags) {
    (void)flags;
    ENTER_CONTEXT();
    *stream = calloc(1, 16);
    return SUCCESS;
}

API int cuStreamCreateWithPriority(void **stream, unsigned flags, int priority) {
    (void)priority;
    return cuStreamCreate(stream, flags);
}

API int cuStreamDestroy_v2(void *stream) {
    ENTER();
    free(stream);
    return SUCCESS;
}

SUCCEEDS(cuStreamQuery, void *)
SUCCEEDS(cuStreamSynchronize, void *)
SUCCEEDS(cuStreamWaitEvent, void *, struct event *, unsigned)

API int cuStreamGetPriority(void *stream, int *priority) {
    (void)stream;
    ENTER_CONTEXT();
    *priority = 0;
    return SUCCESS;
}

API int cuStreamIsCapturing(void *stream, int *status) {
    (void)stream;
    ENTER_CONTEXT();
    *status = 0;
    return SUCCESS;
}

API int cuStreamAddCallback(void *stream, void (*callback)(void *, int, void *), void *data, unsigned flags) {
    (void)flags;
    ENTER_CONTEXT();
    callback(stream, SUCCESS, data);
    return SUCCESS;
}

API int cuLaunchHostFunc(void *stream, void (*function)(void *), void *data) {
    (void)stream;
    ENTER_CONTEXT();
    function(data);
    return SUCCESS;
}

API int cuEventCreate(struct event **event, unsigned flags) {
    (void)flags;
    ENTER_CONTEXT();
    *event = calloc(1, sizeof **event);
    return SUCCESS;
}

API int cuEventDestroy_v2(struct event *event) {
    ENTER();
    free(event);
    return SUCCESS;
}

API int cuEventRecord(struct event *event, void *stream) {
    (void)stream;
    ENTER_CONTEXT();
    clock_gettime(CLOCK_MONOTONIC, &event->when);
    return SUCCESS;
}

SUCCEEDS(cuEventQuery, struct event *)
SUCCEEDS(cuEventSynchronize, struct event *)

API int cuEventElapsedTime(float *milliseconds, struct event *start, struct event *stop) {
    ENTER_CONTEXT();
    double seconds = (double)(stop->when.tv_sec - start->when.tv_sec) +
                     1e-9 * (double)(stop->when.tv_nsec - start->when.tv_nsec);
    *milliseconds = (float)(seconds * 1e3) + 1e-3f;
    return SUCCESS;
}

/* --------------------------------------------------------------------------------------- modules and
 * launches */

struct module {
    char *ptx; /* NULL: machine code, whose kernels are known by name */
};

API int cuModuleLoadDataEx(struct module **module, const void *image, unsigned options, int *keys,
                           void **values) {
    (void)options, (void)keys, (void)values;
    ENTER_CONTEXT();
    *module = calloc(1, sizeof **module);
    const char *text = (const char *)image + strspn(image, " \n");
    if (strncmp(text, "//", 2) == 0 || strncmp(text, ".version", 8) == 0) (*module)->ptx = strdup(text);
    return SUCCESS;
}

API int cuModuleLoadData(struct module **module, const void *image) {
    return cuModuleLoadDataEx(module, image, 0, NULL, NULL);
}

API int cuModuleLoadFatBinary(struct module **module, const void *image) {
    return cuModuleLoadDataEx(module, image, 0, NULL, NULL);
}

ALWAYS_SUCCEEDS(cuModuleUnload, struct module *)

/* A function that its kernel's code doesn't know is found all the same: the launch names it. */
API int cuModuleGetFunction(struct kernel **function, struct module *module, const char *name) {
    ENTER_CONTEXT();
    if (module == NULL) return INVALID_HANDLE;
    *function = calloc(1, sizeof **function);
    (*function)->name = strdup(name);
    (*function)->ptx = module->ptx;
    return SUCCESS;
}

API int cuModuleGetGlobal_v2(void **address, size_t *bytes, struct module *module, const char *name) {
    (void)address, (void)bytes, (void)module, (void)name;
    ENTER_CONTEXT();
    return NOT_FOUND;
}

API int cuFuncGetAttribute(int *value, int attribute, struct kernel *function) {
    static const int values[] = {1024, 0, 0, 0, 32, 75, 75, 0, 49152, -1};
    ENTER_CONTEXT();
    if (function == NULL) return INVALID_HANDLE;
    *value = attribute >= 0 && attribute < 10 ? values[attribute] : 0;
    return SUCCESS;
}

API int cuFuncSetAttribute(struct kernel *function, int attribute, int value) {
    (void)attribute, (void)value;
    ENTER_CONTEXT();
    return function == NULL ? INVALID_HANDLE : SUCCESS;
}

API int cuFuncSetCacheConfig(struct kernel *function, int config) {
    return cuFuncSetAttribute(function, 0, config);
}

API int cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, struct kernel *function, int size,
                                                             size_t shared, unsigned flags) {
    (void)shared, (void)flags;
    ENTER_CONTEXT();
    if (function == NULL) return INVALID_HANDLE;
    *blocks = size > 0 && size < 1024 ? 1024 / size : 1;
    return SUCCESS;
}

API int cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, struct kernel *function, int size,
                                                    size_t shared) {
    return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, function, size, shared, 0);
}

API int cuLaunchKernel(struct kernel *function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                       unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared, void *stream,
                       void **arguments, void **extra) {
    const unsigned grid[] = {grid_x, grid_y, grid_z}, block[] = {block_x, block_y, block_z};
    (void)shared, (void)stream, (void)extra;
    ENTER_CONTEXT();
    if (function == NULL) return INVALID_HANDLE;
    return context_state(kernel_launch(function, grid, block, arguments));
}
