/* libcublas and libcublasLt: matrix products, computed in double precision on the host. */
#include "machine.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    CUBLAS_NOT_INITIALIZED = 1,
    CUBLAS_ALLOC_FAILED = 3,
    CUBLAS_INVALID_VALUE = 7,
    CUBLAS_EXECUTION_FAILED = 13,
    CUBLAS_NOT_SUPPORTED = 15
};

struct cublas {
    void *stream, *reserve;
    int math_mode, pointer_mode;
};

/* A matrix as its elements lie: column-major unless `row_major`, the `number`-th of a batch `stride` further
 * on. */
struct matrix {
    enum type type;
    void *base;
    uint64_t rows, columns;
    int64_t leading, stride;
    int batch;
    bool row_major, transposed;
};

static enum type type_of(int cuda_type) {
    switch (cuda_type) {
    case 0: return F32;
    case 1: return F64;
    case 2: return F16;
    case 3: return I8;
    case 8: return U8;
    case 10: return I32;
    case 14: return BF16;
    default: return NO_TYPE;
    }
}

static int64_t place(const struct matrix *matrix, int number, int64_t row, int64_t column) {
    int64_t inside = matrix->row_major ? row * matrix->leading + column : column * matrix->leading + row;
    return number * matrix->stride + inside;
}

/* The matrix (after its transposition) as plain rows of doubles. */
static double *unpack(const struct matrix *matrix, int number, int64_t rows, int64_t columns) {
    double *plain = malloc(sizeof *plain * (size_t)(rows * columns + 1));
    for (int64_t i = 0; plain != NULL && i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            int64_t where = matrix->transposed ? place(matrix, number, j, i) : place(matrix, number, i, j);
            plain[i * columns + j] = (double)number_load(matrix->type, matrix->base, where);
        }
    return plain;
}

/* d = alpha * a * b + beta * c, then a bias for each row and ReLU where they are asked for. */
struct product {
    struct matrix a, b, c, d;
    int64_t m, n, k;
    double alpha, beta;
    const void *bias;
    bool relu;
};

static int multiply(const struct product *p) {
    if (p->a.type == NO_TYPE || p->b.type == NO_TYPE || p->d.type == NO_TYPE) return CUBLAS_NOT_SUPPORTED;
    for (int number = 0; number < p->d.batch; number++) {
        double *a = unpack(&p->a, number, p->m, p->k), *b = unpack(&p->b, number, p->k, p->n);
        double *row = malloc(sizeof *row * (size_t)(p->n + 1));
        if (a == NULL || b == NULL || row == NULL) return CUBLAS_ALLOC_FAILED;
        for (int64_t i = 0; i < p->m; i++) {
            memset(row, 0, sizeof *row * (size_t)p->n);
            for (int64_t l = 0; l < p->k; l++)
                for (int64_t j = 0; j < p->n; j++) row[j] += a[i * p->k + l] * b[l * p->n + j];
            for (int64_t j = 0; j < p->n; j++) {
                double value = p->alpha * row[j];
                if (p->beta != 0)
                    value += p->beta * (double)number_load(p->c.type, p->c.base, place(&p->c, number, i, j));
                if (p->bias != NULL) value += (double)number_load(p->d.type, p->bias, i);
                if (p->relu && value < 0) value = 0;
                number_store(p->d.type, p->d.base, place(&p->d, number, i, j), value);
            }
        }
        free(a), free(b), free(row);
    }
    return SUCCESS;
}

#define ENTER_CUBLAS()                                                                                       \
    do {                                                                                                     \
        int code_ = rule_for(__func__);                                                                      \
        if (code_ != 0) return code_;                                                                        \
        if (context_state(SUCCESS) != SUCCESS) return CUBLAS_EXECUTION_FAILED;                               \
    } while (0)

/* -------------------------------------------------------------------------------------------- handles */

API int cublasCreate_v2(struct cublas **handle) {
    void *reserve;
    *handle = NULL;
    ENTER_CUBLAS();
    if (memory_for_library(&reserve) != SUCCESS) return CUBLAS_NOT_INITIALIZED;
    *handle = calloc(1, sizeof **handle);
    (*handle)->reserve = reserve;
    return SUCCESS;
}

API int cublasDestroy_v2(struct cublas *handle) {
    ENTER();
    memory_free(handle->reserve);
    free(handle);
    return SUCCESS;
}

API int cublasSetStream_v2(struct cublas *handle, void *stream) {
    ENTER();
    handle->stream = stream;
    return SUCCESS;
}

API int cublasGetStream_v2(struct cublas *handle, void **stream) {
    ENTER();
    *stream = handle->stream;
    return SUCCESS;
}

API int cublasSetMathMode(struct cublas *handle, int mode) {
    ENTER();
    handle->math_mode = mode;
    return SUCCESS;
}

API int cublasGetMathMode(struct cublas *handle, int *mode) {
    ENTER();
    *mode = handle->math_mode;
    return SUCCESS;
}

API int cublasSetPointerMode_v2(struct cublas *handle, int mode) {
    ENTER();
    handle->pointer_mode = mode;
    return SUCCESS;
}

API int cublasGetPointerMode_v2(struct cublas *handle, int *mode) {
    ENTER();
    *mode = handle->pointer_mode;
    return SUCCESS;
}

ALWAYS_SUCCEEDS(cublasSetAtomicsMode, struct cublas *, int)
ALWAYS_SUCCEEDS(cublasSetWorkspace_v2, struct cublas *, void *, size_t)

API int cublasGetVersion_v2(struct cublas *handle, int *version) {
    (void)handle;
    ENTER();
    *version = 120503;
    return SUCCESS;
}

API const char *cublasGetStatusString(int code) {
    switch (code) {
    case SUCCESS: return "success";
    case CUBLAS_NOT_INITIALIZED: return "the library was not initialized";
    case CUBLAS_ALLOC_FAILED: return "the resource allocation failed";
    case CUBLAS_INVALID_VALUE: return "an unsupported value or parameter was passed to the function";
    case 8: return "an absent device architectural feature is required";
    case CUBLAS_EXECUTION_FAILED: return "the GPU program failed to execute";
    case 14: return "an internal operation failed";
    case CUBLAS_NOT_SUPPORTED: return "the functionality requested is not supported";
    default: return "unknown status";
    }
}

/* ------------------------------------------------------------------------------------------ libcublas */

/* 64 to 67: 16-bit floats; 70, 71: double; else float. */
static enum type scale_of(int compute_type) {
    return compute_type == 64 || compute_type == 65   ? F16
           : compute_type == 70 || compute_type == 71 ? F64
                                                      : F32;
}

API int cublasGemmStridedBatchedEx(struct cublas *handle, int transpose_a, int transpose_b, int m, int n,
                                   int k, const void *alpha, const void *a, int type_a, int leading_a,
                                   long long stride_a, const void *b, int type_b, int leading_b,
                                   long long stride_b, const void *beta, void *c, int type_c, int leading_c,
                                   long long stride_c, int batch, int compute_type, int algorithm) {
    (void)handle, (void)algorithm; /* device memory is host memory: the pointer mode makes no difference */
    ENTER_CUBLAS();
    enum type scale = scale_of(compute_type);
    struct product product = {
        .a = {type_of(type_a), (void *)a, 0, 0, leading_a, stride_a, batch, false, transpose_a != 0},
        .b = {type_of(type_b), (void *)b, 0, 0, leading_b, stride_b, batch, false, transpose_b != 0},
        .d = {type_of(type_c), c, 0, 0, leading_c, stride_c, batch, false, false},
        .m = m,
        .n = n,
        .k = k,
        .alpha = (double)number_load(scale, alpha, 0),
        .beta = (double)number_load(scale, beta, 0),
    };
    product.c = product.d;
    return multiply(&product);
}

API int cublasGemmEx(struct cublas *handle, int transpose_a, int transpose_b, int m, int n, int k,
                     const void *alpha, const void *a, int type_a, int leading_a, const void *b, int type_b,
                     int leading_b, const void *beta, void *c, int type_c, int leading_c, int compute_type,
                     int algorithm) {
    ENTER_CUBLAS();
    return cublasGemmStridedBatchedEx(handle, transpose_a, transpose_b, m, n, k, alpha, a, type_a, leading_a,
                                      0, b, type_b, leading_b, 0, beta, c, type_c, leading_c, 0, 1,
                                      compute_type, algorithm);
}

API int cublasSgemmEx(struct cublas *handle, int transpose_a, int transpose_b, int m, int n, int k,
                      const float *alpha, const void *a, int type_a, int leading_a, const void *b, int type_b,
                      int leading_b, const float *beta, void *c, int type_c, int leading_c) {
    ENTER_CUBLAS();
    return cublasGemmEx(handle, transpose_a, transpose_b, m, n, k, alpha, a, type_a, leading_a, b, type_b,
                        leading_b, beta, c, type_c, leading_c, 68, 0);
}

API int cublasSgemm_v2(struct cublas *handle, int transpose_a, int transpose_b, int m, int n, int k,
                       const float *alpha, const float *a, int leading_a, const float *b, int leading_b,
                       const float *beta, float *c, int leading_c) {
    ENTER_CUBLAS();
    return cublasGemmEx(handle, transpose_a, transpose_b, m, n, k, alpha, a, 0, leading_a, b, 0, leading_b,
                        beta, c, 0, leading_c, 68, 0);
}

API int cublasDgemm_v2(struct cublas *handle, int transpose_a, int transpose_b, int m, int n, int k,
                       const double *alpha, const double *a, int leading_a, const double *b, int leading_b,
                       const double *beta, double *c, int leading_c) {
    ENTER_CUBLAS();
    return cublasGemmEx(handle, transpose_a, transpose_b, m, n, k, alpha, a, 1, leading_a, b, 1, leading_b,
                        beta, c, 1, leading_c, 70, 0);
}

#define STRIDED(name, element, code, compute)                                                                \
    API int name(struct cublas *handle, int transpose_a, int transpose_b, int m, int n, int k,               \
                 const element *alpha, const element *a, int leading_a, long long stride_a,                  \
                 const element *b, int leading_b, long long stride_b, const element *beta, element *c,       \
                 int leading_c, long long stride_c, int batch) {                                             \
        ENTER_CUBLAS();                                                                                      \
        return cublasGemmStridedBatchedEx(handle, transpose_a, transpose_b, m, n, k, alpha, a, code,         \
                                          leading_a, stride_a, b, code, leading_b, stride_b, beta, c, code,  \
                                          leading_c, stride_c, batch, compute, 0);                           \
    }

STRIDED(cublasSgemmStridedBatched, float, 0, 68)
STRIDED(cublasDgemmStridedBatched, double, 1, 70)

API int cublasGemmBatchedEx(struct cublas *handle, int transpose_a, int transpose_b, int m, int n, int k,
                            const void *alpha, const void *const *a, int type_a, int leading_a,
                            const void *const *b, int type_b, int leading_b, const void *beta, void *const *c,
                            int type_c, int leading_c, int batch, int compute_type, int algorithm) {
    ENTER_CUBLAS();
    int code = SUCCESS;
    for (int i = 0; i < batch && code == SUCCESS; i++)
        code = cublasGemmStridedBatchedEx(handle, transpose_a, transpose_b, m, n, k, alpha, a[i], type_a,
                                          leading_a, 0, b[i], type_b, leading_b, 0, beta, c[i], type_c,
                                          leading_c, 0, 1, compute_type, algorithm);
    return code;
}

/* ---------------------------------------------------------------------------------------- libcublasLt */

struct description {
    int compute_type, scale_type, pointer_mode, transpose_a, transpose_b;
    unsigned epilogue;
    void *bias;
};

struct heuristic {
    uint64_t algorithm[8];
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};

API int cublasLtCreate(void **handle) {
    *handle = NULL;
    ENTER();
    *handle = calloc(1, 16);
    return SUCCESS;
}

API int cublasLtDestroy(void *handle) {
    ENTER();
    free(handle);
    return SUCCESS;
}

API int cublasLtMatmulDescCreate(struct description **description, int compute_type, int scale_type) {
    ENTER();
    *description = calloc(1, sizeof **description);
    **description =
        (struct description){.compute_type = compute_type, .scale_type = scale_type, .epilogue = 1};
    return SUCCESS;
}

API int cublasLtMatmulDescDestroy(struct description *description) {
    ENTER();
    free(description);
    return SUCCESS;
}

static void *field_of(struct description *d, int attribute, size_t *size) {
    void *fields[] = {
        &d->compute_type, &d->scale_type, &d->pointer_mode, &d->transpose_a, &d->transpose_b, NULL, NULL,
        &d->epilogue,     &d->bias};
    *size = attribute == 8 ? sizeof(void *) : sizeof(int);
    return attribute >= 0 && attribute <= 8 ? fields[attribute] : NULL;
}

API int cublasLtMatmulDescSetAttribute(struct description *description, int attribute, const void *value,
                                       size_t bytes) {
    size_t size;
    ENTER();
    void *field = field_of(description, attribute, &size);
    if (field != NULL && bytes == size) memcpy(field, value, size);
    return SUCCESS;
}

API int cublasLtMatmulDescGetAttribute(struct description *description, int attribute, void *value,
                                       size_t bytes, size_t *written) {
    size_t size;
    ENTER();
    void *field = field_of(description, attribute, &size);
    if (field == NULL || bytes < size) return CUBLAS_INVALID_VALUE;
    memcpy(value, field, size);
    if (written != NULL) *written = size;
    return SUCCESS;
}

API int cublasLtMatrixLayoutCreate(struct matrix **layout, int type, uint64_t rows, uint64_t columns,
                                   int64_t leading) {
    ENTER();
    *layout = calloc(1, sizeof **layout);
    **layout = (struct matrix){
        .type = type_of(type), .rows = rows, .columns = columns, .leading = leading, .batch = 1};
    return SUCCESS;
}

API int cublasLtMatrixLayoutDestroy(struct matrix *layout) {
    ENTER();
    free(layout);
    return SUCCESS;
}

API int cublasLtMatrixLayoutSetAttribute(struct matrix *layout, int attribute, const void *value,
                                         size_t bytes) {
    enum { ORDER = 1, BATCH = 5, STRIDE = 6 };
    (void)bytes;
    ENTER();
    if (attribute == ORDER) layout->row_major = *(const int *)value == 1;
    else if (attribute == BATCH) layout->batch = *(const int *)value;
    else if (attribute == STRIDE) layout->stride = *(const int64_t *)value;
    return SUCCESS;
}

API int cublasLtMatrixLayoutGetAttribute(struct matrix *layout, int attribute, void *value, size_t bytes,
                                         size_t *written) {
    static const int types[] = {[F32] = 0, [F64] = 1, [F16] = 2, [I8] = 3, [U8] = 8, [I32] = 10, [BF16] = 14};
    const int64_t values[] = {
        types[layout->type], layout->row_major, (int64_t)layout->rows, (int64_t)layout->columns,
        layout->leading,     layout->batch,     layout->stride};
    ENTER();
    if (attribute < 0 || attribute > 6 || bytes > sizeof *values) return CUBLAS_INVALID_VALUE;
    memcpy(value, &values[attribute], bytes);
    if (written != NULL) *written = bytes;
    return SUCCESS;
}

API int cublasLtMatmulPreferenceCreate(void **preference) { return cublasLtCreate(preference); }
API int cublasLtMatmulPreferenceDestroy(void *preference) { return cublasLtDestroy(preference); }

ALWAYS_SUCCEEDS(cublasLtMatmulPreferenceSetAttribute, void *, int, const void *, size_t)

API int cublasLtMatmulAlgoGetHeuristic(void *handle, struct description *description, void *a, void *b,
                                       void *c, void *d, void *preference, int requested,
                                       struct heuristic *results, int *found) {
    (void)handle, (void)description, (void)a, (void)b, (void)c, (void)d, (void)preference;
    ENTER_CUBLAS();
    *found = requested > 0;
    if (requested > 0) *results = (struct heuristic){.waves = 1};
    return SUCCESS;
}

API int cublasLtMatmul(void *handle, struct description *description, const void *alpha, const void *a,
                       struct matrix *layout_a, const void *b, struct matrix *layout_b, const void *beta,
                       const void *c, struct matrix *layout_c, void *d, struct matrix *layout_d,
                       const void *algorithm, void *workspace, size_t bytes, void *stream) {
    enum { PLAIN = 1, RELU = 2, BIAS = 4 };
    (void)handle, (void)algorithm, (void)workspace, (void)bytes, (void)stream;
    ENTER_CUBLAS();
    if ((description->epilogue & ~(unsigned)(PLAIN | RELU | BIAS)) != 0) return CUBLAS_NOT_SUPPORTED;
    enum type scale = type_of(description->scale_type);
    struct product product = {*layout_a,
                              *layout_b,
                              *layout_c,
                              *layout_d,
                              (int64_t)layout_d->rows,
                              (int64_t)layout_d->columns,
                              0,
                              0,
                              0,
                              description->epilogue & BIAS ? description->bias : NULL,
                              (description->epilogue & RELU) != 0};
    product.a.base = (void *)a;
    product.b.base = (void *)b;
    product.c.base = (void *)c;
    product.d.base = d;
    product.a.transposed = description->transpose_a != 0;
    product.b.transposed = description->transpose_b != 0;
    product.k = (int64_t)(product.a.transposed ? layout_a->rows : layout_a->columns);
    product.alpha = (double)number_load(scale, alpha, 0);
    product.beta = (double)number_load(scale, beta, 0);
    return multiply(&product);
}
