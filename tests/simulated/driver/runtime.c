/* libcudart: the kernels that TensorFlow registers, and the calls that Eigen and the kernels' launchers make.
 */
#include "machine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dim3 {
    unsigned x, y, z;
};

/* --------------------------------------------------------------------------------------- registration */

/* Host functions that stand for kernels, by address: an open table that doubles. */
static struct kernel *kernels;
static size_t slots, taken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct kernel *slot_of(struct kernel *table, size_t size, const void *host) {
    size_t slot = ((uintptr_t)host >> 4) * 0x9E3779B97F4A7C15u % size;
    while (table[slot].host != NULL && table[slot].host != host) slot = (slot + 1) % size;
    return &table[slot];
}

static void grow(void) {
    size_t size = slots == 0 ? 1 << 14 : slots * 2;
    struct kernel *table = calloc(size, sizeof *table);
    if (table == NULL) abort();
    for (size_t i = 0; i < slots; i++)
        if (kernels[i].host != NULL) *slot_of(table, size, kernels[i].host) = kernels[i];
    free(kernels);
    kernels = table;
    slots = size;
}

static struct kernel kernel_of(const void *host) {
    pthread_mutex_lock(&lock);
    struct kernel kernel = slots == 0 ? (struct kernel){0} : *slot_of(kernels, slots, host);
    pthread_mutex_unlock(&lock);
    return kernel;
}

API void **__cudaRegisterFatBinary(void *binary) {
    static void *handle;
    (void)binary;
    return &handle;
}

API void __cudaRegisterFatBinaryEnd(void **handle) { (void)handle; }
API void __cudaUnregisterFatBinary(void **handle) { (void)handle; }

API void __cudaRegisterFunction(void **handle, const void *host, char *device, const char *name, int threads,
                                void *tid, void *bid, void *block, void *grid, int *warp) {
    (void)handle, (void)device, (void)threads, (void)tid, (void)bid, (void)block, (void)grid, (void)warp;
    pthread_mutex_lock(&lock);
    if (taken * 2 >= slots) grow();
    struct kernel *kernel = slot_of(kernels, slots, host);
    if (kernel->host == NULL) taken++;
    *kernel = (struct kernel){.name = name, .host = host};
    pthread_mutex_unlock(&lock);
}

API void __cudaRegisterVar(void **handle, char *host, char *device, const char *name, int external,
                           size_t size, int constant, int global) {
    (void)handle, (void)host, (void)device, (void)name, (void)external, (void)size, (void)constant,
        (void)global;
}

/* ------------------------------------------------------------------------------------------- launches */

static __thread struct {
    struct dim3 grid, block;
    size_t shared;
    void *stream;
} configuration;

API unsigned __cudaPushCallConfiguration(struct dim3 grid, struct dim3 block, size_t shared, void *stream) {
    configuration.grid = grid;
    configuration.block = block;
    configuration.shared = shared;
    configuration.stream = stream;
    return SUCCESS;
}

API int __cudaPopCallConfiguration(struct dim3 *grid, struct dim3 *block, size_t *shared, void *stream) {
    *grid = configuration.grid;
    *block = configuration.block;
    *shared = configuration.shared;
    *(void **)stream = configuration.stream;
    return SUCCESS;
}

static __thread int last_error;
static __thread int device;

static int remember(int code) {
    if (code != SUCCESS) last_error = code;
    return code;
}

#define ENTER_RUNTIME()                                                                                      \
    do {                                                                                                     \
        int code_ = rule_for(__func__);                                                                      \
        if (code_ == SUCCESS && current_device() < 0) code_ = make_current(device);                          \
        code_ = context_state(code_);                                                                        \
        if (code_ != SUCCESS) return remember(code_);                                                        \
    } while (0)

API int cudaLaunchKernel(const void *host, struct dim3 grid, struct dim3 block, void **arguments,
                         size_t shared, void *stream) {
    (void)shared, (void)stream;
    ENTER_RUNTIME();
    struct kernel kernel = kernel_of(host);
    if (kernel.name == NULL) return remember(NO_BINARY_FOR_DEVICE);
    return remember(context_state(kernel_launch(&kernel, &grid.x, &block.x, arguments)));
}

/* The driver's handle of a kernel that the runtime knows. */
API int cudaGetFuncBySymbol(struct kernel **function, const void *host) {
    ENTER_RUNTIME();
    struct kernel kernel = kernel_of(host);
    if (kernel.name == NULL) return remember(NO_BINARY_FOR_DEVICE);
    *function = calloc(1, sizeof kernel);
    **function = kernel;
    return SUCCESS;
}

API int cudaFuncGetAttributes(void *attributes, const void *host) {
    struct {
        size_t shared, constant, local;
        int threads, registers, ptx, binary, cache, dynamic_shared, carveout;
    } values = {0, 0, 0, 1024, 32, 75, 75, 0, 49152, -1};
    ENTER_RUNTIME();
    if (kernel_of(host).name == NULL) return remember(NO_BINARY_FOR_DEVICE);
    memcpy(attributes, &values, sizeof values);
    return SUCCESS;
}

API int cudaFuncSetAttribute(const void *host, int attribute, int value) {
    (void)host, (void)attribute, (void)value;
    ENTER_RUNTIME();
    return SUCCESS;
}

API int cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, const void *host, int size,
                                                               size_t shared, unsigned flags) {
    (void)host, (void)shared, (void)flags;
    ENTER_RUNTIME();
    *blocks = size > 0 && size < 1024 ? 1024 / size : 1;
    return SUCCESS;
}

API int cudaOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, const void *host, int size,
                                                      size_t shared) {
    return cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, host, size, shared, 0);
}

/* --------------------------------------------------------------------------------------------- devices and
 * errors */

API int cudaRuntimeGetVersion(int *version) {
    ENTER();
    *version = the_machine()->runtime;
    return SUCCESS;
}

API int cudaDriverGetVersion(int *version) {
    ENTER();
    *version = the_machine()->cuda;
    return SUCCESS;
}

API int cudaGetLastError(void) {
    int code = last_error;
    last_error = SUCCESS;
    return code;
}

API int cudaPeekAtLastError(void) { return last_error; }
API const char *cudaGetErrorString(int code) { return error_text(code); }
API const char *cudaGetErrorName(int code) { return error_name(code); }

API int cudaGetDeviceCount(int *count) {
    ENTER();
    int code = initialize();
    *count = visible_count();
    return remember(code);
}

API int cudaGetDevice(int *ordinal) {
    ENTER();
    *ordinal = device;
    return SUCCESS;
}

API int cudaSetDevice(int ordinal) {
    ENTER();
    device = ordinal;
    return remember(make_current(ordinal));
}

/* The head of cudaDeviceProp as CUDA 12 lays it out; what lies behind stays untouched. */
struct properties {
    char name[256];
    unsigned char uuid[16];
    char luid[8];
    unsigned luid_mask;
    size_t memory, shared_per_block;
    int registers_per_block, warp;
    size_t pitch;
    int threads_per_block, block[3], grid[3], clock;
    size_t constant;
    int major, minor;
    size_t texture_alignment, texture_pitch_alignment;
    int overlap, multiprocessors, timeout, integrated, maps_host, compute_mode;
    int textures_and_surfaces[40];
    size_t surface_alignment;
    int concurrent, ecc, bus, device, domain, tcc, engines, unified, memory_clock, memory_bus, l2,
        persisting_l2;
    int threads_per_multiprocessor;
};

API int cudaGetDeviceProperties_v2(struct properties *values, int ordinal) {
    ENTER();
    int code = initialize(), index = device_of_ordinal(ordinal);
    if (code != SUCCESS || index < 0) return remember(code != SUCCESS ? code : INVALID_DEVICE);
    const struct gpu *gpu = &the_machine()->gpu[index];
    memset(values, 0, sizeof *values);
    snprintf(values->name, sizeof values->name, "%s", gpu->name);
    values->memory = gpu->memory;
    values->shared_per_block = 49152;
    values->registers_per_block = 65536;
    values->warp = 32;
    values->threads_per_block = values->threads_per_multiprocessor = 1024;
    for (int i = 0; i < 3; i++) values->block[i] = i < 2 ? 1024 : 64, values->grid[i] = 65535;
    values->grid[0] = 2147483647;
    values->constant = 65536;
    values->major = gpu->major;
    values->minor = gpu->minor;
    values->multiprocessors = 40;
    values->compute_mode = gpu->compute_mode;
    values->ecc = values->concurrent = values->unified = 1;
    return SUCCESS;
}

API int cudaGetDeviceProperties(struct properties *values, int ordinal) {
    return cudaGetDeviceProperties_v2(values, ordinal);
}

extern int cuDeviceGetAttribute(int *value, int attribute, int device);

API int cudaDeviceGetAttribute(int *value, int attribute, int ordinal) {
    ENTER();
    int code = initialize();
    return remember(code != SUCCESS ? code : cuDeviceGetAttribute(value, attribute, ordinal));
}

API int cudaDeviceGetStreamPriorityRange(int *least, int *greatest) {
    ENTER_RUNTIME();
    *least = 0;
    *greatest = -5;
    return SUCCESS;
}

API int cudaDeviceSynchronize(void) {
    ENTER_RUNTIME();
    return SUCCESS;
}

API int cudaStreamSynchronize(void *stream) {
    (void)stream;
    ENTER_RUNTIME();
    return SUCCESS;
}

API int cudaFree(void *address) {
    ENTER_RUNTIME();
    return remember(memory_free(address));
}

API int cudaMalloc(void **address, size_t bytes) {
    ENTER_RUNTIME();
    return remember(memory_allocate(current_device(), bytes, address));
}

API int cudaMemcpyAsync(void *target, const void *source, size_t bytes, int kind, void *stream) {
    (void)kind, (void)stream;
    ENTER_RUNTIME();
    memmove(target, source, bytes);
    return SUCCESS;
}

API int cudaMemsetAsync(void *target, int value, size_t bytes, void *stream) {
    (void)stream;
    ENTER_RUNTIME();
    memset(target, value, bytes);
    return SUCCESS;
}
