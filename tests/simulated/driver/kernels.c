/* The kernels that TensorFlow launches, told apart by name and run as plain loops.
 *
 * Element-wise kernels are named Op_GPU_DT_IN_DT_OUT_kernel and take memrefs; the others are named by C++ and
 * take what their templates say; those that TensorFlow compiles itself come as PTX (ptx.c). A kernel that is
 * not here names itself on standard error and kills the context: nothing that it should have written can be
 * read as a result.
 */
#include "machine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENT(type, index) (*(type *)arguments[index])

/* -------------------------------------------------------------------------------------- element-wise
 * operations */

typedef long double number;

static number square(number a) { return a * a; }
static number negate(number a) { return -a; }
static number reciprocal(number a) { return 1 / a; }
static number rsqrt(number a) { return 1 / sqrtl(a); }
static number sigmoid(number a) { return 1 / (1 + expl(-a)); }
static number relu(number a) { return a > 0 || isnan(a) ? a : 0; }
static number relu6(number a) { return fminl(relu(a), 6); }
static number softplus(number a) { return a > 30 ? a : log1pl(expl(a)); }
static number elu(number a) { return a > 0 ? a : expm1l(a); }
static number sign(number a) { return a > 0 ? 1 : a < 0 ? -1 : a; }
static number same(number a) { return a; }
static number not(number a) { return a == 0; }
static number is_finite(number a) { return isfinite(a); }
static number is_inf(number a) { return isinf(a) != 0; }
static number is_nan(number a) { return isnan(a); }

static number add(number a, number b) { return a + b; }
static number subtract(number a, number b) { return a - b; }
static number multiply(number a, number b) { return a * b; }
static number divide(number a, number b) { return a / b; }
static number divide_no_nan(number a, number b) { return b == 0 ? 0 : a / b; }
static number multiply_no_nan(number a, number b) { return b == 0 ? 0 : a * b; }
static number floor_divide(number a, number b) { return floorl(a / b); }
static number floor_modulo(number a, number b) { return a - floorl(a / b) * b; }
static number maximum(number a, number b) { return isnan(a) || a > b ? a : b; }
static number minimum(number a, number b) { return isnan(a) || a < b ? a : b; }
static number squared_difference(number a, number b) { return (a - b) * (a - b); }
static number both(number a, number b) { return a != 0 && b != 0; }
static number either(number a, number b) { return a != 0 || b != 0; }
static number equal(number a, number b) { return a == b; }
static number not_equal(number a, number b) { return a != b; }
static number less(number a, number b) { return a < b; }
static number less_equal(number a, number b) { return a <= b; }
static number greater(number a, number b) { return a > b; }
static number greater_equal(number a, number b) { return a >= b; }

static const struct operation {
    const char *name;
    number (*unary)(number);
    number (*binary)(number, number);
} operations[] = {
    {"Abs", fabsl, 0},
    {"Cast", same, 0},
    {"Ceil", ceill, 0},
    {"Cos", cosl, 0},
    {"Elu", elu, 0},
    {"Erf", erfl, 0},
    {"Exp", expl, 0},
    {"Expm1", expm1l, 0},
    {"Floor", floorl, 0},
    {"IsFinite", is_finite, 0},
    {"IsInf", is_inf, 0},
    {"IsNan", is_nan, 0},
    {"Log", logl, 0},
    {"Log1p", log1pl, 0},
    {"LogicalNot", not, 0},
    {"Neg", negate, 0},
    {"Reciprocal", reciprocal, 0},
    {"Relu", relu, 0},
    {"Relu6", relu6, 0},
    {"Rint", rintl, 0},
    {"Rsqrt", rsqrt, 0},
    {"Sigmoid", sigmoid, 0},
    {"Sign", sign, 0},
    {"Sin", sinl, 0},
    {"Softplus", softplus, 0},
    {"Sqrt", sqrtl, 0},
    {"Square", square, 0},
    {"Tan", tanl, 0},
    {"Tanh", tanhl, 0},
    {"Add", 0, add},
    {"AddV2", 0, add},
    {"Sub", 0, subtract},
    {"Mul", 0, multiply},
    {"MulNoNan", 0, multiply_no_nan},
    {"Div", 0, divide},
    {"RealDiv", 0, divide},
    {"DivNoNan", 0, divide_no_nan},
    {"FloorDiv", 0, floor_divide},
    {"FloorMod", 0, floor_modulo},
    {"Maximum", 0, maximum},
    {"Minimum", 0, minimum},
    {"Pow", 0, powl},
    {"SquaredDifference", 0, squared_difference},
    {"Equal", 0, equal},
    {"NotEqual", 0, not_equal},
    {"Less", 0, less},
    {"LessEqual", 0, less_equal},
    {"Greater", 0, greater},
    {"GreaterEqual", 0, greater_equal},
    {"LogicalAnd", 0, both},
    {"LogicalOr", 0, either},
    {"Atan2", 0, atan2l},
};

static enum type type_named(const char *text, size_t length) {
    static const char *const names[] = {"BOOL",   "INT8",   "INT16", "INT32",    "INT64", "UINT8", "UINT16",
                                        "UINT32", "UINT64", "HALF",  "BFLOAT16", "FLOAT", "DOUBLE"};
    for (int i = 0; i < NO_TYPE; i++)
        if (strlen(names[i]) == length && strncmp(names[i], text, length) == 0) return (enum type)i;
    return NO_TYPE;
}

/* Splits Op_GPU_DT_IN_DT_OUT_kernel; NULL where the name isn't built like this or the operation is unknown.
 */
static const struct operation *operation_named(const char *name, enum type *in, enum type *out) {
    const char *device = strstr(name, "_GPU_DT_");
    const char *second = device == NULL ? NULL : strstr(device + 8, "_DT_");
    const char *end = second == NULL ? NULL : strstr(second + 4, "_kernel");
    if (end == NULL || end[7] != '\0') return NULL;
    *in = type_named(device + 8, (size_t)(second - device - 8));
    *out = type_named(second + 4, (size_t)(end - second - 4));
    if (*in == NO_TYPE || *out == NO_TYPE) return NULL;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (strlen(operations[i].name) == (size_t)(device - name) &&
            strncmp(operations[i].name, name, (size_t)(device - name)) == 0)
            return &operations[i];
    return NULL;
}

/* A memref as it is passed: the address twice, an offset, a size and a stride for each dimension. */
struct memref {
    void *base;
    int rank;
    int64_t size[8], stride[8];
};

static bool starts_memref(void **arguments, int at) {
    return ARGUMENT(void *, at) == ARGUMENT(void *, at + 1) &&
           memory_device_of(ARGUMENT(void *, at), NULL, NULL) >= 0;
}

/* Reads the memref at `at`. Its rank shows where the next one starts (an element count may lie between); the
 * last has `rank`. */
static int read_memref(void **arguments, int at, struct memref *memref, int rank) {
    memref->base = ARGUMENT(char *, at);
    if (rank < 0)
        for (rank = 0; !starts_memref(arguments, at + 3 + rank);) rank++;
    else rank *= 2;
    memref->rank = rank / 2;
    for (int i = 0; i < memref->rank; i++) {
        memref->size[i] = ARGUMENT(int64_t, at + 3 + i);
        memref->stride[i] = ARGUMENT(int64_t, at + 3 + memref->rank + i);
    }
    return at + 3 + rank;
}

static int64_t place(const struct memref *memref, const struct memref *shape, int64_t index) {
    int64_t offset = 0;
    for (int i = shape->rank - 1; i >= 0; i--) {
        if (memref->rank > 0) offset += index % shape->size[i] * memref->stride[i];
        index /= shape->size[i];
    }
    return offset;
}

static int run_elementwise(const struct operation *operation, enum type in, enum type out, void **arguments) {
    struct memref input[2], output;
    int inputs = operation->binary != NULL ? 2 : 1, at = 0, rank = 1;
    while (!starts_memref(arguments, at)) at++; /* the number of elements; of some dimensions, too */
    for (int i = 0; i < inputs; i++) {
        at = read_memref(arguments, at, &input[i], -1);
        if (input[i].rank > rank) rank = input[i].rank;
    }
    read_memref(arguments, at, &output, rank);
    int64_t count = 1;
    for (int i = 0; i < output.rank; i++) count *= output.size[i];
    for (int64_t i = 0; i < count; i++) {
        number a = number_load(in, input[0].base, place(&input[0], &output, i));
        number value =
            inputs == 1 ? operation->unary(a)
                        : operation->binary(a, number_load(in, input[1].base, place(&input[1], &output, i)));
        number_store(out, output.base, place(&output, &output, i), value);
    }
    return SUCCESS;
}

/* ------------------------------------------------------------------------------------------------ mangled
 * names */

/* The element type that a mangled name begins with, and how many of them make one value. Moves `text` behind
 * it. */
static enum type mangled_type(const char **text, int *many) {
    static const struct {
        const char *name;
        enum type type;
    } types[] = {
        {"N5Eigen4halfE", F16},
        {"N5Eigen8bfloat16E", BF16},
        {"NS_4halfE", F16},
        {"NS_8bfloat16E", BF16},
        {"f", F32},
        {"d", F64},
        {"b", BOOL},
        {"a", I8},
        {"h", U8},
        {"s", I16},
        {"t", U16},
        {"i", I32},
        {"j", U32},
        {"l", I64},
        {"x", I64},
        {"m", U64},
        {"y", U64},
    };
    static const char vector[] = "NS_13AlignedVectorI";
    bool is_vector = strncmp(*text, vector, strlen(vector)) == 0;
    *many = 1;
    if (is_vector) *text += strlen(vector);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strncmp(*text, types[i].name, strlen(types[i].name)) != 0) continue;
        *text += strlen(types[i].name);
        if (is_vector) {
            *many = atoi(*text + 2);
            *text = strstr(*text, "EEE") + 3;
        }
        return types[i].type;
    }
    return NO_TYPE;
}

/* The element type behind the first `word` of a mangled name. */
static enum type type_behind(const char *text, const char *word) {
    int many;
    const char *found = strstr(text, word);
    if (found == NULL) return NO_TYPE;
    found += strlen(word);
    return mangled_type(&found, &many);
}

static int mangled_int(const char **text) {
    int value = atoi(*text + 2); /* Li12E */
    *text = strchr(*text, 'E') + 1;
    return value;
}

/* Eigen's kernels take one evaluator by value: the address of the result, its size and its device, then those
 * of the operands. */
static const struct {
    const char *name, *operation;
} eigen_operations[] = {
    {"13scalar_sum_opI", "AddV2"},
    {"20scalar_difference_opI", "Sub"},
    {"17scalar_product_opI", "Mul"},
    {"18scalar_quotient_opI", "RealDiv"},
    {"13scalar_max_opI", "Maximum"},
    {"13scalar_min_opI", "Minimum"},
    {"13scalar_pow_opI", "Pow"},
    {"28scalar_squared_difference_opI", "SquaredDifference"},
    {"4lessI", "Less"},
    {"10less_equalI", "LessEqual"},
    {"7greaterI", "Greater"},
    {"13greater_equalI", "GreaterEqual"},
    {"8equal_toI", "Equal"},
    {"12not_equal_toI", "NotEqual"},
    {"18scalar_opposite_opI", "Neg"},
    {"13scalar_abs_opI", "Abs"},
    {"13scalar_exp_opI", "Exp"},
    {"14scalar_sqrt_opI", "Sqrt"},
    {"16scalar_square_opI", "Square"},
    {"18scalar_isfinite_opI", "IsFinite"},
};

static const struct operation *eigen_operation(const char *types) {
    for (size_t i = 0; i < sizeof eigen_operations / sizeof *eigen_operations; i++)
        for (size_t j = 0;
             strstr(types, eigen_operations[i].name) != NULL && j < sizeof operations / sizeof *operations;
             j++)
            if (strcmp(operations[j].name, eigen_operations[i].operation) == 0) return &operations[j];
    return NULL;
}

static int run_eigen(const char *types, void **arguments) {
    char *evaluator = arguments[0];
    const struct operation *operation = eigen_operation(types);
    int first = operation != NULL && strstr(types, "9TensorMapINS_6TensorIb") != NULL
                    ? 64
                    : 40; /* comparisons are bigger objects */
    void *out = *(void **)evaluator, *left = *(void **)(evaluator + first),
         *right = *(void **)(evaluator + first + 24);
    enum type type = type_behind(types, "9TensorMapINS_6TensorI"), in = type_behind(types, "KNS4_INS5_IK");
    bool filled = strstr(types, "20TensorCwiseNullaryOpI") != NULL,
         inside = strstr(types, "18scalar_constant_opI") != NULL;
    bool converted = strstr(types, "18TensorConversionOpI") != NULL,
         scalar = strstr(types, "12scalar_rightI") != NULL;
    bool unary = strstr(types, "18TensorCwiseUnaryOpI") != NULL,
         binary = strstr(types, "19TensorCwiseBinaryOpI") != NULL;
    int64_t count = strstr(types, "GpuDeviceEEElEE") != NULL ? ARGUMENT(int64_t, 1) : ARGUMENT(int, 1);
    if (in == NO_TYPE)
        in = type == BOOL
                 ? BF16
                 : type; /* the operand's type is only referred to: bfloat16 is what Eigen compares */
    if (type == NO_TYPE || (operation == NULL && !filled && !converted)) return NO_BINARY_FOR_DEVICE;
    if (operation != NULL && !(unary && (scalar || operation->unary != NULL)) &&
        !(binary && operation->binary != NULL))
        return NO_BINARY_FOR_DEVICE;
    if (filled || converted) left = inside ? evaluator + 24 : *(char **)(evaluator + 24);
    if (scalar) right = *(void **)(evaluator + 32);
    if ((!inside && memory_device_of(left, NULL, NULL) < 0) ||
        ((binary || scalar) && memory_device_of(right, NULL, NULL) < 0))
        return NO_BINARY_FOR_DEVICE;
    for (int64_t i = 0; i < count; i++) {
        number value = number_load(in, left, filled ? 0 : i);
        if (operation != NULL && operation->unary != NULL) value = operation->unary(value);
        if (operation != NULL && operation->binary != NULL)
            value = operation->binary(value, number_load(in, right, scalar ? 0 : i));
        number_store(type, out, i, value);
    }
    return SUCCESS;
}

/* Values lie as batches * outer * rows * slice, indices as batches * indices; without batches one kernel has
 * no `outer`. */
static int run_gather(const char *types, void **arguments) {
    int many, one;
    enum type type = mangled_type(&types, &many), index_type = mangled_type(&types, &one);
    if (type == NO_TYPE || index_type == NO_TYPE) return NO_BINARY_FOR_DEVICE;
    bool batched = strncmp(types + strlen("Lb0E"), "Lb", 2) == 0,
         one_batch = !batched || types[strlen("Lb0ELb")] == '1';
    int at = batched ? 4 : 3;
    const char *values = ARGUMENT(char *, 0);
    char *out = ARGUMENT(char *, 2);
    int64_t rows = ARGUMENT(int64_t, at), indices = ARGUMENT(int64_t, at + 1),
            slice = ARGUMENT(int64_t, at + 2);
    int64_t count = ARGUMENT(int64_t, at + 3), outer = batched ? ARGUMENT(int64_t, 3) : 1;
    size_t size = type_size(type) * (size_t)many;
    for (int64_t i = 0; i < count; i++) {
        int64_t block = i / slice / indices, batch = one_batch ? 0 : block / outer;
        int64_t row =
            (int64_t)number_load(index_type, ARGUMENT(void *, 1), batch * indices + i / slice % indices);
        if (row < 0 || row >= rows) memset(out + (size_t)i * size, 0, size);
        else
            memcpy(out + (size_t)i * size, values + (size_t)((block * rows + row) * slice + i % slice) * size,
                   size);
    }
    return SUCCESS;
}

/* Copies a tensor of three dimensions so that input dimension i becomes output dimension to[i]. */
static int permute(const char *in, char *out, const int *size, const int *to, size_t element) {
    int out_size[3], at[3];
    for (int i = 0; i < 3; i++) out_size[to[i]] = size[i];
    for (at[0] = 0; at[0] < size[0]; at[0]++)
        for (at[1] = 0; at[1] < size[1]; at[1]++)
            for (at[2] = 0; at[2] < size[2]; at[2]++) {
                int target[3];
                for (int i = 0; i < 3; i++) target[to[i]] = at[i];
                size_t from =
                    ((size_t)at[0] * (size_t)size[1] + (size_t)at[1]) * (size_t)size[2] + (size_t)at[2];
                size_t where =
                    ((size_t)target[0] * (size_t)out_size[1] + (size_t)target[1]) * (size_t)out_size[2] +
                    (size_t)target[2];
                memcpy(out + where * element, in + from * element, element);
            }
    return SUCCESS;
}

static int run_shuffle(const char *types, void **arguments) {
    int many, to[3];
    enum type type = mangled_type(&types, &many);
    if (type == NO_TYPE) return NO_BINARY_FOR_DEVICE;
    for (int i = 0; i < 3; i++) to[i] = mangled_int(&types);
    return permute(ARGUMENT(char *, 1), ARGUMENT(char *, 3), arguments[2], to,
                   type_size(type) * (size_t)many);
}

static int run_swap_tiles(const char *types, void **arguments) {
    static const int to[] = {0, 2, 1};
    int many;
    enum type type = mangled_type(&types, &many);
    if (type == NO_TYPE) return NO_BINARY_FOR_DEVICE;
    return permute(ARGUMENT(char *, 0), ARGUMENT(char *, 2), arguments[1], to,
                   type_size(type) * (size_t)many);
}

static int run_swap_small(const char *types, void **arguments) {
    static const int to[] = {0, 2, 1};
    int many;
    enum type type = mangled_type(&types, &many);
    if (type == NO_TYPE) return NO_BINARY_FOR_DEVICE;
    return permute(ARGUMENT(char *, 1), ARGUMENT(char *, 3), arguments[2], to,
                   type_size(type) * (size_t)many);
}

/* Copies a tensor into a larger one, `spatial` being its first dimension that is padded. */
static int pad(const char *types, void **arguments, int spatial) {
    int many;
    enum type type = mangled_type(&types, &many);
    int rank = type == NO_TYPE ? 0 : mangled_int(&types);
    const int *in_size = arguments[2], *out_size = arguments[4], *before = arguments[5];
    size_t element = type_size(type) * (size_t)many;
    if (type == NO_TYPE || rank < 3 || rank > 5) return NO_BINARY_FOR_DEVICE;
    for (int i = 0; i < ARGUMENT(int, 0); i++) {
        int64_t rest = i, from = 0, step = 1;
        bool inside = true;
        for (int d = rank - 1; d >= 0; d--) {
            bool padded = d >= spatial && d < spatial + rank - 2;
            int64_t at = rest % out_size[d] - (padded ? before[d - spatial] : 0);
            inside = inside && at >= 0 && at < in_size[d];
            from += at * step;
            step *= in_size[d];
            rest /= out_size[d];
        }
        memcpy(ARGUMENT(char *, 3) + (size_t)i * element,
               inside ? ARGUMENT(char *, 1) + (size_t)from * element : (char *)arguments[6], element);
    }
    return SUCCESS;
}

static int run_pad_last(const char *types, void **arguments) { return pad(types, arguments, 1); }
static int run_pad_first(const char *types, void **arguments) { return pad(types, arguments, 2); }

/* image 1: the bias belongs to the last dimension; else to the one before `image` elements. */
static int add_bias(const char *types, void **arguments, int image) {
    int many;
    enum type type = mangled_type(&types, &many);
    if (type == NO_TYPE) return NO_BINARY_FOR_DEVICE;
    for (int i = 0; i < ARGUMENT(int, 0); i++) {
        number bias = number_load(type, ARGUMENT(void *, 2), i / image % ARGUMENT(int, 4));
        number_store(type, ARGUMENT(void *, 3), i, number_load(type, ARGUMENT(void *, 1), i) + bias);
    }
    return SUCCESS;
}

static int run_bias_last(const char *types, void **arguments) { return add_bias(types, arguments, 1); }
static int run_bias_first(const char *types, void **arguments) {
    return add_bias(types, arguments, ARGUMENT(int, 5));
}

static const struct {
    const char *name;
    number (*step)(number, number);
} reductions[] = {
    {"3SumI", add},
    {"4ProdI", multiply},
    {"15MaxPropagateNaN", maximum},
    {"7maximum", maximum},
    {"15MinPropagateNaN", minimum},
    {"7minimum", minimum},
    {"3AndE", both},
    {"2OrE", either},
};

/* Reduces `count` elements, `step` apart, into the one at `at`; the reduction is named in the kernel's types.
 */
static int reduce(const char *types, enum type type, void **arguments, int64_t first, int64_t count,
                  int64_t step, int64_t at) {
    const void *in = ARGUMENT(void *, 0);
    for (size_t r = 0; count > 0 && r < sizeof reductions / sizeof *reductions; r++) {
        if (strstr(types, reductions[r].name) == NULL) continue;
        number value = number_load(type, in, first);
        for (int64_t i = 1; i < count; i++)
            value = reductions[r].step(value, number_load(type, in, first + i * step));
        number_store(type, ARGUMENT(void *, 1), at, value);
        return SUCCESS;
    }
    return NO_BINARY_FOR_DEVICE;
}

/* Reductions whose input and output are plain addresses of one type. */
static enum type reduced_type(const char *types) {
    int many;
    if (types[0] != 'P') return NO_TYPE;
    types += types[1] == 'K' ? 2 : 1;
    enum type type = mangled_type(&types, &many);
    bool plain = (types[0] == 'S' || types[0] == 'P') && strstr(types, "OutputIterator") == NULL;
    return plain ? type : NO_TYPE;
}

static int run_reduce_all(const char *types, void **arguments) {
    enum type type = reduced_type(types);
    if (type == NO_TYPE) return NO_BINARY_FOR_DEVICE;
    return reduce(types, type, arguments, 0, ARGUMENT(int, 2), 1, 0);
}

static int run_reduce_rows(const char *types, void **arguments) {
    enum type type = reduced_type(types);
    int rows = ARGUMENT(int, 2), columns = ARGUMENT(int, 3),
        code = type == NO_TYPE ? NO_BINARY_FOR_DEVICE : SUCCESS;
    for (int i = 0; i < rows && code == SUCCESS; i++)
        code = reduce(types, type, arguments, (int64_t)i * columns, columns, 1, i);
    return code;
}

static int run_reduce_columns(const char *types, void **arguments) {
    enum type type = reduced_type(types);
    int rows = ARGUMENT(int, 2), columns = ARGUMENT(int, 3),
        code = type == NO_TYPE ? NO_BINARY_FOR_DEVICE : SUCCESS;
    for (int i = 0; i < columns && code == SUCCESS; i++)
        code = reduce(types, type, arguments, i, rows, columns, i);
    return code;
}

/* cuDNN's results are checked for writes outside of their bounds: margins are filled, and compared
 * afterwards. */
static int run_repeat(const char *types, void **arguments) {
    char *buffer = ARGUMENT(char *, 0);
    (void)types;
    for (int64_t i = ARGUMENT(int64_t, 1); i < ARGUMENT(int64_t, 2); i++)
        buffer[i] = buffer[i - ARGUMENT(int64_t, 1)];
    return SUCCESS;
}

static int run_compare(const char *types, void **arguments) {
    (void)types;
    for (uint64_t i = 0; i < ARGUMENT(uint64_t, 2); i++)
        *ARGUMENT(uint32_t *, 3) += ARGUMENT(unsigned char *, 0)[i] != ARGUMENT(unsigned char, 1);
    return SUCCESS;
}

static const struct {
    const char *name;
    int (*run)(const char *types, void **arguments);
} mangled[] = {
    {"5Eigen8internal15EigenMetaKernelI", run_eigen},
    {"10tensorflow14GatherOpKernelI", run_gather},
    {"10tensorflow7functor22ShuffleInTensor3SimpleI", run_shuffle},
    {"10tensorflow7functor37SwapDimension1And2InTensor3UsingTilesI", run_swap_tiles},
    {"10tensorflow7functor35SwapDimension1And2InTensor3SmallDimI", run_swap_small},
    {"10tensorflow7functor24PadInputCustomKernelNHWCI", run_pad_last},
    {"10tensorflow7functor24PadInputCustomKernelNCHWI", run_pad_first},
    {"10tensorflow14BiasNHWCKernelI", run_bias_last},
    {"10tensorflow14BiasNCHWKernelI", run_bias_first},
    {"10tensorflow7functor17BlockReduceKernelI", run_reduce_all},
    {"10tensorflow7functor15RowReduceKernelI", run_reduce_rows},
    {"10tensorflow7functor18ColumnReduceKernelI", run_reduce_columns},
    {"10tensorflow7functor30ColumnReduceMax16ColumnsKernelI", run_reduce_columns},
    {"22RepeatBufferKernelImplE", run_repeat},
    {"26RedzoneAllocatorKernelImplE", run_compare},
    {"redzone_checker", run_compare},
};

static int run_named(const char *name, void **arguments) {
    enum type in, out;
    const struct operation *operation = operation_named(name, &in, &out);
    if (operation != NULL) return run_elementwise(operation, in, out, arguments);
    for (size_t i = 0; i < sizeof mangled / sizeof *mangled; i++) {
        const char *found = strstr(name, mangled[i].name);
        if (found != NULL) return mangled[i].run(found + strlen(mangled[i].name), arguments);
    }
    return NO_BINARY_FOR_DEVICE;
}

int kernel_launch(struct kernel *kernel, const unsigned *grid, const unsigned *block, void **arguments) {
    int code = rule_for_kernel(kernel->name);
    if (code != SUCCESS) return code;
    code = run_named(kernel->name, arguments);
    if (code == NO_BINARY_FOR_DEVICE && kernel->ptx != NULL) {
        if (kernel->program == NULL) kernel->program = ptx_decode(kernel->ptx, kernel->name);
        code = ptx_run(kernel->program, grid, block, arguments);
    }
    if (code != NO_BINARY_FOR_DEVICE) return code;
    fprintf(stderr, "simulated GPU: the kernel %s is not simulated\n", kernel->name);
    return kill_context(code);
}
