/* The simulated NVIDIA machine: what its parts share.
 *
 * One shared object stands in for the driver, NVML and the CUDA libraries. The folder named by SIMULATED_GPU
 * holds machine   what the machine is and which calls fail (read again whenever it changes, see rules.c)
 *   memory    who uses how much memory of which GPU (shared by all processes, see memory.c)
 *   calls     optional: each call of each process, one per line
 */
#ifndef SIMULATED_MACHINE_H
#define SIMULATED_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define API __attribute__((visibility("default")))

enum { MAX_GPUS = 32, MAX_HOLDERS = 8, NAME_LENGTH = 96, UUID_LENGTH = 80 };

/* Codes of the driver; the runtime uses the same numbers. */
enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    NOT_INITIALIZED = 3,
    DEVICE_UNAVAILABLE = 46,
    NO_BINARY_FOR_DEVICE = 98,
    NO_DEVICE = 100,
    INVALID_DEVICE = 101,
    INVALID_CONTEXT = 201,
    INVALID_HANDLE = 400,
    NOT_FOUND = 500,
    NOT_SUPPORTED = 801,
};

/* A process that is not ours and holds memory of a GPU. */
struct holder {
    int pid;
    char name[NAME_LENGTH];
    size_t bytes;
};

/* A GPU, or an instance (MIG) of the GPU at `parent`. */
struct gpu {
    char name[NAME_LENGTH], uuid[UUID_LENGTH];
    int major, minor;
    size_t memory;
    int compute_mode;
    int xid;
    long uncorrected_ecc;
    int remap_pending, remap_failed;
    unsigned long long clock_reasons; /* bits, as NVML gives them */
    unsigned temperature, slowdown_temperature;
    int virtual_gpu, licensed;
    int parent; /* -1: a whole GPU */
    int instances;
    int holders;
    struct holder holder[MAX_HOLDERS];
};

struct machine {
    char driver[32];
    int cuda, runtime, cudnn; /* as the libraries state them: 12050, 12050, 90300 */
    size_t context_memory, library_memory;
    int gpus;
    struct gpu gpu[MAX_GPUS];
};

/* rules.c: the machine as the file describes it now, and the calls that fail. */
const struct machine *the_machine(void);
int rule_for(const char *function); /* 0, or the code that this call must return; may never return */
int rule_for_kernel(const char *kernel);
int visible_gpus(int *indices); /* as CUDA_VISIBLE_DEVICES says; how many */

/* Begins an exported function whose rules count its calls. */
#define ENTER()                                                                                              \
    do {                                                                                                     \
        int code_ = rule_for(__func__);                                                                      \
        if (code_ != 0) return code_;                                                                        \
    } while (0)

/* The same for calls that need a living context: an earlier fault comes back. */
#define ENTER_CONTEXT()                                                                                      \
    do {                                                                                                     \
        int code_ = context_state(rule_for(__func__));                                                       \
        if (code_ != 0) return code_;                                                                        \
    } while (0)

/* Functions that have nothing to do but to succeed: on a living context, and anyhow. */
#define SUCCEEDS(name, ...)                                                                                  \
    API int name(__VA_ARGS__) {                                                                              \
        ENTER_CONTEXT();                                                                                     \
        return SUCCESS;                                                                                      \
    }
#define ALWAYS_SUCCEEDS(name, ...)                                                                           \
    API int name(__VA_ARGS__) {                                                                              \
        ENTER();                                                                                             \
        return SUCCESS;                                                                                      \
    }

/* driver.c */
int context_state(int code); /* remembers a fault that kills the context; gives the code to return */
int kill_context(int code);  /* all later calls of the context give this code */
int current_device(void);    /* index into machine.gpu of the current context, -1 without one */
int initialize(void);
int make_current(int ordinal);
int device_of_ordinal(int ordinal); /* the position in machine.gpu, or -1 */
int visible_count(void);
int ordinal_of_device(int gpu); /* how CUDA numbers a position in machine.gpu */
void *context_of_device(int gpu);
const char *error_name(int code);
const char *error_text(int code);

/* memory.c: device memory is host memory, reserved and never filled. */
int memory_allocate(int gpu, size_t bytes, void **address);
int memory_free(void *address);
int memory_device_of(const void *address, void **base, size_t *size); /* -1: not device memory */
int memory_take_context(int gpu); /* charges a context, respects the compute mode */
void memory_drop_context(int gpu);
size_t memory_used(int gpu);            /* of all processes */
int memory_for_library(void **reserve); /* what a handle of cuBLAS or cuDNN takes on the current GPU */
struct user {
    int pid;
    char name[NAME_LENGTH];
    size_t bytes;
};
int memory_users(int gpu, struct user *users, int limit);

/* numbers.c: elements of each type, as a number that holds them all exactly. */
enum type { BOOL, I8, I16, I32, I64, U8, U16, U32, U64, F16, BF16, F32, F64, NO_TYPE };
size_t type_size(enum type type);
long double number_load(enum type type, const void *base, int64_t index);
void number_store(enum type type, void *base, int64_t index, long double value);

/* kernels.c */
struct kernel {
    const char *name;
    const void *host; /* the host function that stands for it, for kernels of the runtime */
    const char *ptx;  /* its module's text, for kernels that arrive as PTX */
    struct program *program;
};
int kernel_launch(struct kernel *kernel, const unsigned *grid, const unsigned *block, void **arguments);

/* ptx.c */
struct program *ptx_decode(const char *text, const char *name);
int ptx_run(const struct program *program, const unsigned *grid, const unsigned *block, void **arguments);

#endif
