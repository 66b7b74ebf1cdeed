/* libcudnn: convolutions, through the backend interface: descriptors hold attributes, a plan runs one
 * convolution on the host. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Statuses of cuDNN 9; those of cuDNN 8 have other numbers and fewer shades. */
enum {
    CUDNN_NOT_INITIALIZED = 1001,
    BAD_PARAM = 2000,
    NOT_SUPPORTED_GRAPH = 3001,
    NOT_SUPPORTED_TYPE = 3003,
    CUDNN_EXECUTION_FAILED = 5000
};

/* Attribute types, descriptor types and attributes that matter, by the numbers of the interface. */
enum { TYPE_INT64 = 3, TYPE_DESCRIPTOR = 15 };
enum { ENGINE = 2, ENGINE_CONFIG = 3, FORWARD = 10, BACKWARD_FILTER = 11, BACKWARD_DATA = 12 };
enum {
    CONVOLUTION_MODE = 101,
    DILATIONS = 102,
    STRIDES = 103,
    PADDINGS = 105,
    HEURISTIC_GRAPH = 201,
    HEURISTIC_RESULTS = 202,
    CONFIG_ENGINE = 300,
    PLAN_CONFIG = 401,
    PLAN_WORKSPACE = 402,
    GRAPH_OPERATIONS = 801,
    TENSOR_TYPE = 901,
    TENSOR_DIMENSIONS = 902,
    TENSOR_STRIDES = 903,
    TENSOR_ID = 906,
    PACK_IDS = 1000,
    PACK_POINTERS = 1001,
    ENGINE_GRAPH = 1300,
    ENGINE_INDEX = 1301,
};

#define ENTER_CUDNN()                                                                                        \
    do {                                                                                                     \
        int code_ = rule_for(__func__);                                                                      \
        if (code_ != 0) return failed(code_);                                                                \
        if (context_state(SUCCESS) != SUCCESS) return failed(CUDNN_EXECUTION_FAILED);                        \
    } while (0)

static __thread char last_message[256];

static bool is_version_8(void) { return the_machine()->cudnn < 90000; }

static int failed(int code) {
    if (is_version_8() && code >= 1000) code = (int[]){0, 1, 3, 9, 4, 8}[code / 1000];
    snprintf(last_message, sizeof last_message, "the simulated cuDNN returned %d", code);
    return code;
}

/* ------------------------------------------------------------------------------------------- handle and
 * errors */

API size_t cudnnGetVersion(void) { return (size_t)the_machine()->cudnn; }
API size_t cudnnGetCudartVersion(void) { return (size_t)the_machine()->runtime; }

API int cudnnGetProperty(int kind, int *value) {
    int version = the_machine()->cudnn, base = is_version_8() ? 1000 : 10000;
    ENTER();
    *value = kind == 0 ? version / base : kind == 1 ? version % base / 100 : version % 100;
    return SUCCESS;
}

struct cudnn {
    void *stream, *reserve;
};

API int cudnnCreate(struct cudnn **handle) {
    void *reserve;
    *handle = NULL; /* where it fails TensorFlow looks at the handle */
    ENTER_CUDNN();
    if (memory_for_library(&reserve) != SUCCESS) return failed(CUDNN_NOT_INITIALIZED);
    *handle = calloc(1, sizeof **handle);
    (*handle)->reserve = reserve;
    return SUCCESS;
}

API int cudnnDestroy(struct cudnn *handle) {
    ENTER();
    memory_free(handle->reserve);
    free(handle);
    return SUCCESS;
}

API int cudnnSetStream(struct cudnn *handle, void *stream) {
    ENTER();
    handle->stream = stream;
    return SUCCESS;
}

API int cudnnGetStream(struct cudnn *handle, void **stream) {
    ENTER();
    *stream = handle->stream;
    return SUCCESS;
}

API const char *cudnnGetErrorString(int code) {
    static const struct {
        int code;
        const char *name;
    } newer[] =
        {
            {0, "CUDNN_STATUS_SUCCESS"},
            {1001, "CUDNN_STATUS_NOT_INITIALIZED"},
            {1002, "CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH"},
            {2000, "CUDNN_STATUS_BAD_PARAM"},
            {3000, "CUDNN_STATUS_NOT_SUPPORTED"},
            {3001, "CUDNN_STATUS_NOT_SUPPORTED_GRAPH_PATTERN"},
            {3003, "CUDNN_STATUS_NOT_SUPPORTED_DATA_TYPE"},
            {4000, "CUDNN_STATUS_INTERNAL_ERROR"},
            {4004, "CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"},
            {5000, "CUDNN_STATUS_EXECUTION_FAILED"},
        },
      older[] = {
          {0, "CUDNN_STATUS_SUCCESS"},        {1, "CUDNN_STATUS_NOT_INITIALIZED"},
          {2, "CUDNN_STATUS_ALLOC_FAILED"},   {3, "CUDNN_STATUS_BAD_PARAM"},
          {4, "CUDNN_STATUS_INTERNAL_ERROR"}, {8, "CUDNN_STATUS_EXECUTION_FAILED"},
          {9, "CUDNN_STATUS_NOT_SUPPORTED"},
      };
    size_t count = is_version_8() ? sizeof older / sizeof *older : sizeof newer / sizeof *newer;
    for (size_t i = 0; i < count; i++)
        if ((is_version_8() ? older : newer)[i].code == code) return (is_version_8() ? older : newer)[i].name;
    return "CUDNN_UNKNOWN_STATUS";
}

API void cudnnGetLastErrorString(char *message, size_t length) {
    snprintf(message, length, "%s", last_message);
}

/* ---------------------------------------------------------------------------------------- descriptors */

struct attribute {
    int name, type;
    int64_t count;
    void *values;
    struct attribute *next;
};

struct descriptor {
    int type;
    struct attribute *attributes;
};

/* Sizes of the attribute types; 8 for handles, pointers, descriptors and 64-bit numbers, 1 for Booleans and
 * characters. */
static size_t size_of(int type) {
    static const unsigned char sizes[] = {8, 4, 1, 8, 4, 8, 8, 4, 4, 4, 4, 4,  4, 4, 4,
                                          8, 4, 4, 4, 4, 4, 4, 4, 4, 1, 4, 16, 4, 4, 4};
    return type >= 0 && (size_t)type < sizeof sizes ? sizes[type] : 8;
}

static struct attribute *find(const struct descriptor *descriptor, int name) {
    struct attribute *attribute = descriptor == NULL ? NULL : descriptor->attributes;
    while (attribute != NULL && attribute->name != name) attribute = attribute->next;
    return attribute;
}

static void set(struct descriptor *descriptor, int name, int type, int64_t count, const void *values) {
    struct attribute *attribute = find(descriptor, name);
    size_t bytes = size_of(type) * (size_t)count;
    if (attribute == NULL) {
        attribute = calloc(1, sizeof *attribute);
        attribute->next = descriptor->attributes;
        descriptor->attributes = attribute;
    }
    free(attribute->values);
    attribute->name = name;
    attribute->type = type;
    attribute->count = count;
    attribute->values = malloc(bytes + 1);
    if (bytes > 0) memcpy(attribute->values, values, bytes);
}

static void clear(struct descriptor *descriptor) {
    while (descriptor->attributes != NULL) {
        struct attribute *attribute = descriptor->attributes;
        descriptor->attributes = attribute->next;
        free(attribute->values);
        free(attribute);
    }
}

static void copy(struct descriptor *target, const struct descriptor *source) {
    clear(target);
    target->type = source->type;
    for (struct attribute *a = source->attributes; a != NULL; a = a->next)
        set(target, a->name, a->type, a->count, a->values);
}

static int64_t number(const struct descriptor *descriptor, int name, int64_t index, int64_t otherwise) {
    const struct attribute *attribute = find(descriptor, name);
    if (attribute == NULL || index >= attribute->count) return otherwise;
    return size_of(attribute->type) == 8 ? ((int64_t *)attribute->values)[index]
                                         : ((int32_t *)attribute->values)[index];
}

static struct descriptor *part(const struct descriptor *descriptor, int name) {
    const struct attribute *attribute = find(descriptor, name);
    return attribute == NULL || attribute->count == 0 ? NULL : *(struct descriptor **)attribute->values;
}

API int cudnnBackendCreateDescriptor(int type, struct descriptor **descriptor) {
    *descriptor = NULL;
    ENTER_CUDNN();
    *descriptor = calloc(1, sizeof **descriptor);
    (*descriptor)->type = type;
    return SUCCESS;
}

/* Descriptors refer to one another and outlive their destruction: a test's process is short. */
ALWAYS_SUCCEEDS(cudnnBackendDestroyDescriptor, struct descriptor *)

API int cudnnBackendSetAttribute(struct descriptor *descriptor, int name, int type, int64_t count,
                                 const void *values) {
    ENTER_CUDNN();
    set(descriptor, name, type, count, values);
    return SUCCESS;
}

/* Gives the one configuration that a heuristic finds: engine 0 for the graph. */
static void recommend(const struct descriptor *heuristic, struct descriptor *config) {
    struct descriptor *graph = part(heuristic, HEURISTIC_GRAPH), *engine = calloc(1, sizeof *engine);
    int64_t index = 0;
    engine->type = ENGINE;
    set(engine, ENGINE_GRAPH, TYPE_DESCRIPTOR, 1, &graph);
    set(engine, ENGINE_INDEX, TYPE_INT64, 1, &index);
    config->type = ENGINE_CONFIG;
    set(config, CONFIG_ENGINE, TYPE_DESCRIPTOR, 1, &engine);
}

API int cudnnBackendGetAttribute(struct descriptor *descriptor, int name, int type, int64_t room,
                                 int64_t *count, void *values) {
    ENTER_CUDNN();
    const struct attribute *attribute = find(descriptor, name);
    int64_t found = name == HEURISTIC_RESULTS || name == PLAN_WORKSPACE ? 1
                    : attribute == NULL                                 ? 0
                                                                        : attribute->count;
    if (count != NULL) *count = found;
    if (values == NULL || room < 1 || found == 0) return SUCCESS;
    if (name == HEURISTIC_RESULTS) recommend(descriptor, *(struct descriptor **)values);
    else if (name == PLAN_WORKSPACE) *(int64_t *)values = 0;
    else if (type != TYPE_DESCRIPTOR)
        memcpy(values, attribute->values, size_of(type) * (size_t)(found < room ? found : room));
    else
        for (int64_t i = 0; i < found && i < room; i++)
            copy(((struct descriptor **)values)[i], ((struct descriptor **)attribute->values)[i]);
    return SUCCESS;
}

/* --------------------------------------------------------------------------------------- convolutions */

enum { MOST_DIMENSIONS = 8 };

struct tensor {
    enum type type;
    int dimensions;
    int64_t size[MOST_DIMENSIONS], stride[MOST_DIMENSIONS];
    void *data;
};

static enum type type_of(int64_t cudnn_type) {
    static const enum type types[] = {F32, F64, F16, I8, I32, NO_TYPE, U8, NO_TYPE, NO_TYPE, BF16, I64};
    return cudnn_type >= 0 && cudnn_type <= 10 ? types[cudnn_type] : NO_TYPE;
}

static struct tensor tensor_of(const struct descriptor *descriptor, const struct descriptor *pack) {
    const struct attribute *dimensions = find(descriptor, TENSOR_DIMENSIONS), *ids = find(pack, PACK_IDS);
    struct tensor tensor = {.type = type_of(number(descriptor, TENSOR_TYPE, 0, -1))};
    tensor.dimensions =
        dimensions == NULL || dimensions->count > MOST_DIMENSIONS ? 0 : (int)dimensions->count;
    for (int i = 0; i < tensor.dimensions; i++) {
        tensor.size[i] = number(descriptor, TENSOR_DIMENSIONS, i, 1);
        tensor.stride[i] = number(descriptor, TENSOR_STRIDES, i, 1);
    }
    for (int64_t i = 0; ids != NULL && i < ids->count; i++)
        if (number(pack, PACK_IDS, i, -1) == number(descriptor, TENSOR_ID, 0, -2))
            tensor.data = ((void **)find(pack, PACK_POINTERS)->values)[i];
    return tensor;
}

static int64_t product(const int64_t *sizes, int count) {
    int64_t all = 1;
    for (int i = 0; i < count; i++) all *= sizes[i];
    return all;
}

/* The place of an element that is counted in rows (last dimension fastest), from dimension `first` on. */
static int64_t place(const struct tensor *tensor, int first, int64_t index) {
    int64_t offset = 0;
    for (int i = tensor->dimensions - 1; i >= first; i--) {
        offset += index % tensor->size[i] * tensor->stride[i];
        index /= tensor->size[i];
    }
    return offset;
}

struct convolution {
    int kind; /* which of the three tensors is computed from the other two */
    struct tensor x, w, y;
    const struct descriptor *parameters;
    double alpha, beta;
};

/* Where in x the filter's element `f` lies for the output's element `o`, both spatial; -1 in the padding. */
static int64_t reach(const struct convolution *c, int64_t o, int64_t f) {
    int64_t offset = 0;
    for (int i = c->x.dimensions - 1; i >= 2; i--) {
        int64_t at_y = o % c->y.size[i], at_w = f % c->w.size[i];
        if (number(c->parameters, CONVOLUTION_MODE, 0, 1) == 0) at_w = c->w.size[i] - 1 - at_w; /* flipped */
        int64_t at = at_y * number(c->parameters, STRIDES, i - 2, 1) -
                     number(c->parameters, PADDINGS, i - 2, 0) +
                     at_w * number(c->parameters, DILATIONS, i - 2, 1);
        if (at < 0 || at >= c->x.size[i]) return -1;
        offset += at * c->x.stride[i];
        o /= c->y.size[i];
        f /= c->w.size[i];
    }
    return offset;
}

static int64_t extent(const struct tensor *tensor) {
    int64_t last = 0;
    for (int i = 0; i < tensor->dimensions; i++) last += (tensor->size[i] - 1) * tensor->stride[i];
    return last + 1;
}

static double *widen(const struct tensor *tensor) {
    int64_t count = extent(tensor);
    double *values = malloc(sizeof *values * (size_t)count);
    for (int64_t i = 0; values != NULL && i < count; i++)
        values[i] = (double)number_load(tensor->type, tensor->data, i);
    return values;
}

/* Adds up every product of an element of x, of w and of y into the one of the three that is wanted. */
static void accumulate(const struct convolution *c, const double *x, const double *w, const double *y,
                       double *sum) {
    int64_t places = product(&c->y.size[2], c->y.dimensions - 2),
            taps = product(&c->w.size[2], c->w.dimensions - 2);
    int64_t depth = c->w.size[1], groups = c->x.size[1] / depth, filters = c->w.size[0] / groups;
    for (int64_t o = 0; o < places; o++)
        for (int64_t f = 0; f < taps; f++) {
            int64_t from = reach(c, o, f), to = place(&c->y, 2, o), tap = place(&c->w, 2, f);
            if (from < 0) continue;
            for (int64_t n = 0; n < c->x.size[0]; n++)
                for (int64_t k = 0; k < c->w.size[0]; k++)
                    for (int64_t d = 0; d < depth; d++) {
                        int64_t at_x = from + n * c->x.stride[0] + (k / filters * depth + d) * c->x.stride[1];
                        int64_t at_w = tap + k * c->w.stride[0] + d * c->w.stride[1];
                        int64_t at_y = to + n * c->y.stride[0] + k * c->y.stride[1];
                        if (c->kind == FORWARD) sum[at_y] += x[at_x] * w[at_w];
                        else if (c->kind == BACKWARD_DATA) sum[at_x] += y[at_y] * w[at_w];
                        else sum[at_w] += x[at_x] * y[at_y];
                    }
        }
}

static int convolve(const struct convolution *c) {
    const struct tensor *out = c->kind == FORWARD ? &c->y : c->kind == BACKWARD_DATA ? &c->x : &c->w;
    if (c->x.data == NULL || c->w.data == NULL || c->y.data == NULL || c->x.dimensions < 3)
        return failed(BAD_PARAM);
    if (c->x.type == NO_TYPE || c->w.type == NO_TYPE || c->y.type == NO_TYPE)
        return failed(NOT_SUPPORTED_TYPE);
    double *x = widen(&c->x), *w = widen(&c->w), *y = widen(&c->y);
    double *sum = calloc((size_t)extent(out), sizeof *sum);
    accumulate(c, x, w, y, sum);
    for (int64_t i = 0; i < product(out->size, out->dimensions); i++) {
        int64_t at = place(out, 0, i);
        double before = c->beta != 0 ? c->beta * (double)number_load(out->type, out->data, at) : 0;
        number_store(out->type, out->data, at, c->alpha * sum[at] + before);
    }
    free(x), free(w), free(y), free(sum);
    return SUCCESS;
}

/* The only operation of the graph that a plan runs; NULL where it has several or another one. */
static struct descriptor *operation_of(const struct descriptor *plan) {
    struct descriptor *graph = part(part(part(plan, PLAN_CONFIG), CONFIG_ENGINE), ENGINE_GRAPH);
    const struct attribute *operations = find(graph, GRAPH_OPERATIONS);
    struct descriptor *operation = part(graph, GRAPH_OPERATIONS);
    bool known = operations != NULL && operations->count == 1 && operation->type >= FORWARD &&
                 operation->type <= BACKWARD_DATA;
    return known ? operation : NULL;
}

static double scalar(const struct descriptor *descriptor, int name, double otherwise) {
    const struct attribute *attribute = find(descriptor, name);
    if (attribute == NULL) return otherwise;
    return size_of(attribute->type) == 8 ? *(double *)attribute->values : *(float *)attribute->values;
}

API int cudnnBackendFinalize(struct descriptor *descriptor) {
    enum { PLAN = 5 };
    ENTER_CUDNN();
    if (descriptor->type != PLAN || operation_of(descriptor) != NULL) return SUCCESS;
    fprintf(stderr,
            "simulated GPU: cuDNN's operation graph is not simulated, only single convolutions are\n");
    return failed(NOT_SUPPORTED_GRAPH);
}

API int cudnnBackendExecute(void *handle, struct descriptor *plan, struct descriptor *pack) {
    /* Names of alpha, beta, parameters, w, x and y for each of the three kinds. */
    static const int names[3][6] = {
        {700, 701, 702, 703, 704, 705}, {712, 713, 714, 715, 716, 717}, {706, 707, 708, 709, 710, 711}};
    (void)handle;
    ENTER_CUDNN();
    const struct descriptor *operation = operation_of(plan);
    if (operation == NULL) return failed(NOT_SUPPORTED_GRAPH);
    const int *name = names[operation->type - FORWARD];
    struct convolution convolution = {
        .kind = operation->type,
        .parameters = part(operation, name[2]),
        .w = tensor_of(part(operation, name[3]), pack),
        .x = tensor_of(part(operation, name[4]), pack),
        .y = tensor_of(part(operation, name[5]), pack),
        .alpha = scalar(operation, name[0], 1),
        .beta = scalar(operation, name[1], 0),
    };
    return convolve(&convolution);
}

/* --------------------------------------------------------------------------------------- what is not simulated */

static int not_simulated(const char *function) {
    fprintf(stderr, "simulated GPU: %s is not simulated\n", function);
    return failed(NOT_SUPPORTED_GRAPH);
}

/* With these everything begins that goes past the backend interface. */
#define NOT_SIMULATED(function)                                                                              \
    API int function(void) { return not_simulated(__func__); }

NOT_SIMULATED(cudnnCreateActivationDescriptor)
NOT_SIMULATED(cudnnCreateConvolutionDescriptor)
NOT_SIMULATED(cudnnCreateCTCLossDescriptor)
NOT_SIMULATED(cudnnCreateDropoutDescriptor)
NOT_SIMULATED(cudnnCreateFilterDescriptor)
NOT_SIMULATED(cudnnCreateLRNDescriptor)
NOT_SIMULATED(cudnnCreatePoolingDescriptor)
NOT_SIMULATED(cudnnCreateRNNDescriptor)
NOT_SIMULATED(cudnnCreateTensorDescriptor)
