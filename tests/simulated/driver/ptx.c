/* Kernels that TensorFlow compiles while it runs arrive as PTX: decoded once, then run thread after thread.
 *
 * What threads do together (shared memory, barriers, shuffles, atomics) and calls are not here: a kernel that
 * holds an instruction which isn't known is refused before it starts, with the instruction named.
 */
#include "machine.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum opcode {
    ADD,
    SUB,
    MUL,
    DIV,
    REM,
    MIN,
    MAX,
    AND,
    OR,
    XOR,
    SHL,
    SHR,
    COPYSIGN, /* two operands */
    NEG,
    ABS,
    NOT,
    MOV,
    CVT,
    RCP,
    SQRT,
    RSQRT,
    EX2,
    LG2,
    SIN,
    COS,
    TANH, /* one */
    FMA,
    SELP,
    SETP,
    LD,
    ST,
    BRA,
    RET,
    MAD,
    NOTHING
};

static const char *const opcode_names[] = {
    "add",      "sub",  "mul", "div",  "rem",  "min", "max", "and",  "or",    "xor", "shl", "shr",
    "copysign", "neg",  "abs", "not",  "mov",  "cvt", "rcp", "sqrt", "rsqrt", "ex2", "lg2", "sin",
    "cos",      "tanh", "fma", "selp", "setp", "ld",  "st",  "bra",  "ret",   "mad",
};

/* A type of PTX: its kind ('b', 'u', 's', 'f'; 'p' for predicates) and its bits; x2 values hold two halves.
 */
struct kind {
    char letter;
    int bits;
    bool pair, brain;
};

struct operand {
    enum { REGISTER, CONSTANT, SPECIAL, PARAMETER } form;
    int index;         /* of the register, the special register or the parameter */
    uint64_t constant; /* or the offset of an address */
};

enum { MOST_OPERANDS = 8, MOST_CLASSES = 16 };

struct instruction {
    enum opcode code;
    struct kind type, source;
    int predicate, target; /* a register, or -1; for BRA where to go on */
    bool negated, saturated, contagious, wide, high, conjunction, disjunction;
    char rounding, compare[4]; /* rounding: n z m p; upper case towards an integer */
    int results, operands;
    struct operand operand[MOST_OPERANDS];
};

struct program {
    struct instruction *instructions;
    int count, registers;
    char problem[96];
};

/* ------------------------------------------------------------------------------------------- decoding */

struct decoder {
    struct program *program;
    char class_name[MOST_CLASSES][8];
    int class_first[MOST_CLASSES], classes;
    char (*parameters)[64];
    int parameter_count;
    struct {
        char name[32];
        int where;
    } label[256];
    int labels;
    char (*branch)[32]; /* for each instruction the label that it names, if it is a branch */
};

static struct kind kind_named(const char *word) {
    struct kind kind = {0};
    if (strcmp(word, "pred") == 0) return (struct kind){'p', 1, false, false};
    kind.brain = strncmp(word, "bf16", 4) == 0;
    if (!kind.brain && (strchr("busf", word[0]) == NULL || !isdigit((unsigned char)word[1]))) return kind;
    kind.letter = kind.brain ? 'f' : word[0];
    kind.bits = atoi(word + (kind.brain ? 2 : 1));
    kind.pair = strstr(word, "x2") != NULL;
    return kind;
}

static int register_named(const struct decoder *d, const char *name) {
    size_t length = strcspn(name, "0123456789");
    for (int i = 0; i < d->classes; i++)
        if (strlen(d->class_name[i]) == length && strncmp(d->class_name[i], name, length) == 0)
            return d->class_first[i] + atoi(name + length);
    return -1;
}

static const char *const specials[] = {"%tid.x",   "%tid.y",    "%tid.z",    "%ntid.x",
                                       "%ntid.y",  "%ntid.z",   "%ctaid.x",  "%ctaid.y",
                                       "%ctaid.z", "%nctaid.x", "%nctaid.y", "%nctaid.z"};

static bool decode_operand(const struct decoder *d, const char *word, struct operand *operand) {
    char name[64];
    *operand = (struct operand){.form = CONSTANT};
    if (sscanf(word, "%63[%$a-zA-Z0-9_.]", name) != 1) name[0] = '\0';
    if (strncmp(word, "0f", 2) == 0 || strncmp(word, "0d", 2) == 0)
        operand->constant = strtoull(word + 2, NULL, 16);
    else if (isdigit((unsigned char)word[0]) || word[0] == '-')
        operand->constant = (uint64_t)strtoll(word, NULL, 0);
    else if (word[0] == '%' || register_named(d, name) >= 0) {
        operand->form = REGISTER;
        operand->index = register_named(d, name);
        for (int i = 0; i < 12 && operand->index < 0; i++)
            if (strcmp(specials[i], name) == 0) *operand = (struct operand){.form = SPECIAL, .index = i};
        if (operand->form == REGISTER && operand->index < 0) return false;
    } else {
        operand->form = PARAMETER;
        operand->index = -1;
        for (int i = 0; i < d->parameter_count; i++)
            if (strcmp(d->parameters[i], name) == 0) operand->index = i;
        if (operand->index < 0) return false;
    }
    const char *offset = strchr(word, '+');
    if (offset != NULL) operand->constant = (uint64_t)strtoll(offset + 1, NULL, 0);
    return true;
}

/* What the words behind the operation's name say, as in setp.le.ftz.f32. */
static bool decode_modifier(struct instruction *i, const char *word) {
    static const char *const ignored[] = {"ftz", "approx", "full",    "lo",      "uni",  "to",    "nc",
                                          "v2",  "v4",     "aligned", "relaxed", "weak", "param", "global"};
    static const char *const compares[] = {"eq", "ne",  "lt",  "le",  "gt",  "ge",  "lo",  "ls",  "hi",
                                           "hs", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};
    struct kind kind = kind_named(word);
    if (kind.letter != '\0') {
        if (i->type.letter == '\0') i->type = kind;
        i->source = kind;
        return true;
    }
    for (size_t c = 0; i->code == SETP && c < sizeof compares / sizeof *compares; c++)
        if (strcmp(word, compares[c]) == 0) return strcpy(i->compare, word) != NULL;
    for (size_t c = 0; c < sizeof ignored / sizeof *ignored; c++)
        if (strcmp(word, ignored[c]) == 0) return true;
    if (word[0] == 'r' && word[1] != '\0' && strchr("nzmp", word[1]) != NULL) {
        i->rounding = word[2] == 'i' ? (char)toupper(word[1]) : word[1];
        return word[2] == '\0' || strcmp(word + 2, "i") == 0;
    }
    if (strcmp(word, "sat") == 0) return i->saturated = true;
    if (strcmp(word, "NaN") == 0) return i->contagious = true;
    if (strcmp(word, "wide") == 0) return i->wide = true;
    if (strcmp(word, "hi") == 0) return i->high = true;
    if (strcmp(word, "and") == 0) return i->conjunction = true;
    if (strcmp(word, "or") == 0) return i->disjunction = true;
    return false;
}

static bool decode_operation(struct instruction *i, char *text) {
    char *rest = text, *word = strsep(&rest, ".");
    i->code = NOTHING;
    for (int c = 0; c < NOTHING; c++)
        if (strcmp(opcode_names[c], word) == 0) i->code = (enum opcode)c;
    if (strcmp(word, "cvta") == 0) i->code = MOV;
    if (i->code == NOTHING) return false;
    while ((word = strsep(&rest, ".")) != NULL)
        if (!decode_modifier(i, word)) return false;
    return true;
}

static bool decode_instruction(struct decoder *d, char *text) {
    struct program *program = d->program;
    struct instruction *i = &program->instructions[program->count];
    char operation[64], word[64];
    int used = 0;
    *i = (struct instruction){.predicate = -1, .target = -1, .results = 1};
    if (*text == '@') {
        i->negated = text[1] == '!';
        if (sscanf(text + 1 + i->negated, "%63s %n", word, &used) != 1) return false;
        i->predicate = register_named(d, word);
        text += 1 + i->negated + used;
    }
    if (sscanf(text, "%63s %n", operation, &used) != 1 || !decode_operation(i, operation)) return false;
    text += used;
    if (i->code == BRA) return sscanf(text, "%31s", d->branch[program->count++]) == 1;
    char *brace = strchr(text, '{'), *comma = strchr(text, ',');
    if (brace != NULL && (comma == NULL || brace < comma)) /* the results are several registers */
        for (char *c = brace; *c != '}'; c++) i->results += *c == ',';
    if (strchr(text, '|') != NULL) i->results = 2;
    char *rest = NULL;
    for (char *c = strtok_r(text, " ,{}|[]\t", &rest); c != NULL; c = strtok_r(NULL, " ,{}|[]\t", &rest))
        if (i->operands == MOST_OPERANDS || !decode_operand(d, c, &i->operand[i->operands++])) return false;
    program->count++;
    return true;
}

static void declare_registers(struct decoder *d, const char *text) {
    char name[8];
    int count = 1; /* a register that is declared alone has no number */
    if (d->classes == MOST_CLASSES || sscanf(text, ".reg .%*s %7[^< ]<%d>", name, &count) < 1) return;
    strcpy(d->class_name[d->classes], name);
    d->class_first[d->classes++] = d->program->registers;
    d->program->registers += count;
}

/* One statement without its semicolon; labels stand before it. False where it isn't known. */
static bool decode_statement(struct decoder *d, char *text) {
    for (;;) {
        text += strspn(text, " \t\n{}");
        char *colon = text + strspn(text, "$_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (*colon != ':') break;
        snprintf(d->label[d->labels].name, 32, "%.*s", (int)(colon - text), text);
        d->label[d->labels++].where = d->program->count;
        if (d->labels == 256) return false;
        text = colon + 1;
    }
    if (*text == '\0') return true;
    if (strncmp(text, ".reg", 4) == 0) return declare_registers(d, text), true;
    if (strncmp(text, ".pragma", 7) == 0) return true;
    return *text != '.' && decode_instruction(d, text);
}

static void decode_parameters(struct decoder *d, char *text) {
    char *rest = NULL;
    for (char *word = strtok_r(text, " ,\n\t", &rest), *last = NULL;;
         last = word, word = strtok_r(NULL, " ,\n\t", &rest)) {
        bool ends = word == NULL || strcmp(word, ".param") == 0;
        if (ends && last != NULL && last[0] != '.') {
            d->parameters = realloc(d->parameters, sizeof *d->parameters * (size_t)(d->parameter_count + 1));
            snprintf(d->parameters[d->parameter_count++], 64, "%s", last);
        }
        if (word == NULL) return;
    }
}

static void resolve_branches(struct decoder *d) {
    for (int i = 0; i < d->program->count; i++) {
        struct instruction *instruction = &d->program->instructions[i];
        if (instruction->code != BRA) continue;
        for (int l = 0; l < d->labels; l++)
            if (strcmp(d->label[l].name, d->branch[i]) == 0) instruction->target = d->label[l].where;
        if (instruction->target < 0)
            snprintf(d->program->problem, sizeof d->program->problem, "a branch to %s", d->branch[i]);
    }
}

static size_t statements_in(const char *text) {
    size_t count = 1;
    for (; *text != '\0'; text++) count += *text == ';';
    return count;
}

static void strip_comments(char *text) {
    for (char *c = strstr(text, "//"); c != NULL; c = strstr(c, "//"))
        while (*c != '\0' && *c != '\n') *c++ = ' ';
}

/* Decodes the body of the kernel `name`; what can't be run is left as the program's problem. */
struct program *ptx_decode(const char *text, const char *name) {
    struct program *program = calloc(1, sizeof *program);
    struct decoder *decoder = calloc(1, sizeof *decoder);
    char *copy = strdup(text), entry[128];
    strip_comments(copy);
    snprintf(entry, sizeof entry, ".entry %s(", name);
    char *begin = strstr(copy, entry), *end = begin == NULL ? NULL : strchr(begin, ')');
    char *body = end == NULL ? NULL : strchr(end, '{'), *close = body == NULL ? NULL : strstr(body, "\n}");
    decoder->program = program;
    declare_registers(decoder, ".reg .b64 _"); /* where results go that nobody wants */
    if (close == NULL) strcpy(program->problem, "no such entry in the PTX");
    else {
        *end = *close = '\0';
        decode_parameters(decoder, begin + strlen(entry));
        program->instructions = calloc(statements_in(body), sizeof *program->instructions);
        decoder->branch = calloc(statements_in(body), sizeof *decoder->branch);
        for (char *rest = body + 1, *statement;
             program->problem[0] == '\0' && (statement = strsep(&rest, ";")) != NULL;) {
            char *shown = strdup(statement + strspn(statement, " \t\n"));
            if (!decode_statement(decoder, statement))
                snprintf(program->problem, sizeof program->problem, "%s", shown);
            free(shown);
        }
        resolve_branches(decoder);
    }
    free(copy), free(decoder->parameters), free(decoder->branch), free(decoder);
    return program;
}

/* ----------------------------------------------------------------------------------------- arithmetic */

static enum type element_of(struct kind kind) {
    switch (kind.letter) {
    case 'f': return kind.brain ? BF16 : kind.bits == 16 ? F16 : kind.bits == 32 ? F32 : F64;
    case 's': return kind.bits == 8 ? I8 : kind.bits == 16 ? I16 : kind.bits == 32 ? I32 : I64;
    default:
        return kind.bits == 1    ? BOOL
               : kind.bits == 8  ? U8
               : kind.bits == 16 ? U16
               : kind.bits == 32 ? U32
                                 : U64;
    }
}

static double real(struct kind kind, uint64_t bits) {
    if (kind.bits == 64) {
        double value;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    return (double)number_load(element_of(kind), &bits, 0);
}

/* A double as bits of the type, rounded to the nearest or (for float) in the direction asked for. */
static uint64_t bits_of(struct kind kind, double value, char rounding) {
    uint64_t bits = 0;
    double kept = value;
    if (kind.bits == 32 && !isnan(value)) {
        float near = (float)value;
        if ((rounding == 'm' && (double)near > value) ||
            (rounding == 'z' && value > 0 && (double)near > value))
            near = nextafterf(near, -INFINITY);
        if ((rounding == 'p' && (double)near < value) ||
            (rounding == 'z' && value < 0 && (double)near < value))
            near = nextafterf(near, INFINITY);
        kept = (double)near;
    }
    number_store(element_of(kind), &bits, 0, kept);
    return bits;
}

static int64_t whole(struct kind kind, uint64_t bits) {
    return kind.letter == 's' ? (int64_t)number_load(element_of(kind), &bits, 0)
                              : (int64_t)(kind.bits == 64 ? bits : bits & ((1ull << kind.bits) - 1));
}

static double real_result(enum opcode code, double a, double b) {
    switch (code) {
    case ADD: return a + b;
    case SUB: return a - b;
    case MUL: return a * b;
    case DIV: return a / b;
    case MIN: return fmin(a, b);
    case MAX: return fmax(a, b);
    case COPYSIGN: return copysign(b, a);
    case NEG: return -a;
    case ABS: return fabs(a);
    case RCP: return 1 / a;
    case SQRT: return sqrt(a);
    case RSQRT: return 1 / sqrt(a);
    case EX2: return exp2(a);
    case LG2: return log2(a);
    case SIN: return sin(a);
    case COS: return cos(a);
    case TANH: return tanh(a);
    default: return NAN;
    }
}

static uint64_t whole_result(const struct instruction *i, uint64_t x, uint64_t y) {
    int64_t a = whole(i->type, x), b = whole(i->type, y);
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    bool is_signed = i->type.letter == 's';
    switch (i->code) {
    case ADD: return ua + ub;
    case SUB: return ua - ub;
    case MUL:
        return i->high ? (uint64_t)(is_signed ? (__int128)a * b >> i->type.bits
                                              : (__int128)((unsigned __int128)ua * ub >> i->type.bits))
                       : ua * ub;
    case DIV: return ub == 0 ? ~0ull : is_signed ? (uint64_t)(a / b) : ua / ub;
    case REM: return ub == 0 ? ua : is_signed ? (uint64_t)(a % b) : ua % ub;
    case MIN: return is_signed ? (uint64_t)(a < b ? a : b) : ua < ub ? ua : ub;
    case MAX: return is_signed ? (uint64_t)(a > b ? a : b) : ua > ub ? ua : ub;
    case AND: return ua & ub;
    case OR: return ua | ub;
    case XOR: return ua ^ ub;
    case SHL: return y >= 64 ? 0 : ua << y;
    case SHR: return is_signed ? (uint64_t)(a >> (y > 63 ? 63 : y)) : y > 63 ? 0 : ua >> y;
    case NEG: return -ua;
    case ABS: return a < 0 && is_signed ? -ua : ua;
    case NOT: return i->type.letter == 'p' ? ua == 0 : ~ua;
    default: return ua;
    }
}

static bool compare(const struct instruction *i, uint64_t x, uint64_t y) {
    const char *how = i->compare;
    int order;
    bool unordered = false;
    if (i->type.letter == 'f') {
        double a = real(i->type, x), b = real(i->type, y);
        unordered = isnan(a) || isnan(b);
        order = a < b ? -1 : a > b;
    } else if (i->type.letter == 's')
        order = whole(i->type, x) < whole(i->type, y) ? -1 : whole(i->type, x) > whole(i->type, y);
    else {
        uint64_t a = (uint64_t)whole(i->type, x), b = (uint64_t)whole(i->type, y);
        order = a < b ? -1 : a > b;
    }
    if (strcmp(how, "nan") == 0) return unordered;
    if (strcmp(how, "num") == 0) return !unordered;
    if (unordered) return how[2] == 'u';
    switch (how[0]) {
    case 'e': return order == 0;
    case 'n': return order != 0;
    case 'l': return how[1] == 't' || strcmp(how, "lo") == 0 ? order < 0 : order <= 0;
    case 'g': return how[1] == 't' ? order > 0 : order >= 0;
    default: return how[1] == 'i' ? order > 0 : order >= 0; /* hi, hs */
    }
}

static double to_integer(double value, char rounding) {
    switch (rounding) {
    case 'N': return nearbyint(value);
    case 'Z': return trunc(value);
    case 'M': return floor(value);
    case 'P': return ceil(value);
    default: return value;
    }
}

static uint64_t convert(const struct instruction *i, uint64_t bits) {
    struct kind from = i->source, to = i->type;
    if (from.letter != 'f' && to.letter != 'f') return (uint64_t)whole(from, bits);
    if (from.letter != 'f')
        return bits_of(to,
                       from.letter == 's' ? (double)whole(from, bits) : (double)(uint64_t)whole(from, bits),
                       i->rounding);
    double value = to_integer(real(from, bits), i->rounding);
    if (i->saturated) value = isnan(value) ? 0 : fmin(fmax(value, 0), 1);
    if (to.letter == 'f') return bits_of(to, value, i->rounding);
    double low = to.letter == 's' ? -ldexp(1, to.bits - 1) : 0,
           high = ldexp(1, to.letter == 's' ? to.bits - 1 : to.bits);
    if (isnan(value)) return 0;
    if (value < low) value = low;
    if (value >= high)
        return to.letter == 's' ? (uint64_t)high - 1 : to.bits == 64 ? ~0ull : (1ull << to.bits) - 1;
    return to.letter == 's' ? (uint64_t)(int64_t)value : (uint64_t)value;
}

/* ------------------------------------------------------------------------------------------ execution */

struct thread {
    uint64_t *registers;
    uint32_t special[12]; /* as in `specials` */
    void **arguments;
};

static uint64_t fetch(const struct thread *t, const struct operand *operand) {
    switch (operand->form) {
    case REGISTER: return t->registers[operand->index];
    case SPECIAL: return t->special[operand->index];
    default: return operand->constant;
    }
}

static void keep(struct thread *t, const struct operand *operand, struct kind kind, uint64_t bits) {
    t->registers[operand->index] =
        kind.bits < 64 && kind.letter != 'p' ? bits & ((1ull << kind.bits) - 1) : bits;
}

static void move_memory(struct thread *t, const struct instruction *i) {
    const struct operand *address = &i->operand[i->code == LD ? i->results : 0];
    size_t size = (size_t)i->type.bits / 8;
    char *place = address->form == PARAMETER
                      ? (char *)t->arguments[address->index] + address->constant
                      : (char *)(uintptr_t)(t->registers[address->index] + address->constant);
    int count = i->code == LD ? i->results : i->operands - 1;
    for (int n = 0; n < count; n++, place += size) {
        uint64_t bits = 0;
        if (i->code == LD) {
            memcpy(&bits, place, size);
            t->registers[i->operand[n].index] = i->type.letter == 's' ? (uint64_t)whole(i->type, bits) : bits;
        } else {
            bits = fetch(t, &i->operand[n + 1]);
            memcpy(place, &bits, size);
        }
    }
}

/* mov also takes a register apart and puts one together. */
static void move(struct thread *t, const struct instruction *i) {
    int sources = i->operands - i->results, bits = i->type.bits / (i->results > 1 ? i->results : sources);
    uint64_t value = 0;
    for (int n = 0; n < sources; n++)
        value |= fetch(t, &i->operand[i->results + n]) << (sources > 1 ? n * bits : 0);
    for (int n = 0; n < i->results; n++)
        keep(t, &i->operand[n], i->results > 1 ? (struct kind){'b', bits, false, false} : i->type,
             value >> (n * bits));
}

static uint64_t one_result(const struct thread *t, const struct instruction *i, struct kind type, int shift) {
    uint64_t x = fetch(t, &i->operand[1]) >> shift,
             y = i->operands > 2 ? fetch(t, &i->operand[2]) >> shift : 0;
    uint64_t z = i->operands > 3 ? fetch(t, &i->operand[3]) >> shift : 0;
    if (i->code == SELP) return z & 1 ? x : y;
    if (i->code == CVT) return convert(i, x);
    if (i->code == MAD || (i->code == FMA && type.letter != 'f')) {
        uint64_t product = (uint64_t)whole(type, x) * (uint64_t)whole(type, y);
        return product + (i->wide ? z : (uint64_t)whole(type, z));
    }
    if (type.letter != 'f' || (i->code >= AND && i->code <= SHR)) return whole_result(i, x, y);
    double a = real(type, x), b = real(type, y);
    double value = i->code != FMA ? real_result(i->code, a, b)
                   : type.bits == 32 && i->rounding == 'n'
                       ? (double)fmaf((float)a, (float)b, (float)real(type, z))
                       : fma(a, b, real(type, z));
    if (i->contagious && (isnan(a) || isnan(b))) value = NAN;
    if (i->saturated) value = isnan(value) ? 0 : fmin(fmax(value, 0), 1);
    return bits_of(type, value, i->rounding);
}

static void compute(struct thread *t, const struct instruction *i) {
    struct kind half = i->type, wide = i->type;
    half.bits = 16;
    if (i->type.pair) {
        uint64_t low = one_result(t, i, half, 0) & 0xffff, high = one_result(t, i, half, 16) & 0xffff;
        t->registers[i->operand[0].index] = low | high << 16;
        return;
    }
    if (i->wide) wide.bits *= 2;
    keep(t, &i->operand[0], i->code == CVT ? i->type : wide, one_result(t, i, i->type, 0));
}

static void set_predicates(struct thread *t, const struct instruction *i) {
    struct instruction half = *i;
    uint64_t x = fetch(t, &i->operand[i->results]), y = fetch(t, &i->operand[i->results + 1]);
    half.type.bits = i->type.pair ? 16 : i->type.bits;
    for (int n = 0; n < i->results; n++) {
        bool value = compare(&half, x >> (n * 16 * i->type.pair), y >> (n * 16 * i->type.pair));
        if (i->conjunction || i->disjunction) {
            bool other = fetch(t, &i->operand[i->results + 2]) != 0;
            value = i->conjunction ? value && other : value || other;
        }
        t->registers[i->operand[n].index] =
            i->results == 2 && n == 1 && !i->type.pair ? !t->registers[i->operand[0].index] : value;
    }
}

static void run_thread(const struct program *program, struct thread *t) {
    for (int at = 0; at < program->count; at++) {
        const struct instruction *i = &program->instructions[at];
        if (i->predicate >= 0 && (t->registers[i->predicate] != 0) == i->negated) continue;
        switch (i->code) {
        case RET: return;
        case BRA: at = i->target - 1; break;
        case LD:
        case ST: move_memory(t, i); break;
        case MOV: move(t, i); break;
        case SETP: set_predicates(t, i); break;
        default: compute(t, i); break;
        }
    }
}

int ptx_run(const struct program *program, const unsigned *grid, const unsigned *block, void **arguments) {
    if (program->problem[0] != '\0') {
        fprintf(stderr, "simulated GPU: in the PTX of a kernel, not simulated: %s\n", program->problem);
        return NO_BINARY_FOR_DEVICE;
    }
    struct thread thread = {.registers = calloc((size_t)program->registers + 1, sizeof(uint64_t)),
                            .arguments = arguments};
    uint64_t blocks = (uint64_t)grid[0] * grid[1] * grid[2],
             threads = (uint64_t)block[0] * block[1] * block[2];
    for (int d = 0; d < 3; d++) thread.special[3 + d] = block[d], thread.special[9 + d] = grid[d];
    for (uint64_t n = 0; n < blocks * threads; n++) {
        uint64_t place = n % threads, where = n / threads;
        for (int d = 0; d < 3; d++) {
            thread.special[d] = (uint32_t)(place % block[d]),
            thread.special[6 + d] = (uint32_t)(where % grid[d]);
            place /= block[d], where /= grid[d];
        }
        run_thread(program, &thread);
    }
    free(thread.registers);
    return SUCCESS;
}
