/*
 * The program dropwise: what the library sees and chooses, masks and random bytes on standard output, and
 * dropout of NumPy files.
 */
#define _XOPEN_SOURCE 700 /* SIGXFSZ under -std=c11 */
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "apply.h"
#include "dropwise.h"
#include "layouts.h"
#include "message.h"
#include "options.h"
#include "output.h"

/* Elements, or bytes, that go through memory at a time. */
enum { CHUNK = 1 << 18 };

/* ---- Commands and their options ---- */

/* clang-format off */
#define SEED {"seed", "S", true, "key of the generator"}
#define STREAM {"stream", "T", true, "number of the mask under this seed"}
#define PROBABILITY {"p", "P", true, "probability of being dropped, 0 to 1"}
#define GENERATOR \
    {"generator", "G", false, "philox4x32-10 (default), philox4x32-7, ...; an unknown name lists all"}
#define ISA {"isa", "I", false, "tier: scalar, neon, rvv, avx2 or avx512 (default: the best)"}
/* clang-format on */

static const option_spec mask_options[] = {
    SEED,
    {"stream", "T", false, "number of the mask under this seed; second seed of tf, subsequence of curand"},
    {"p", "P", false, "probability of being dropped, 0 to 1"},
    {"first", "F", true, "first element"},
    {"n", "N", true, "number of elements"},
    {"format", "X", false, "ascii (default): 0 and 1 on a line; raw: packed bits, LSB first"},
    GENERATOR,
    ISA,
    {"layout", "L", false, "another system's mask: jax, tf, torch-cuda, ...; an unknown name lists all"},
    {"dtype", "D", false, "of a layout: f32, f64, f16 or bf16"},
    {"size", "S", false, "of a layout: elements of the whole tensor"},
    {"threads", "N", false, "of a layout: threads of the system's kernel"},
    {"vector", "V", false, "of a layout: elements that a thread treats at a time; 1 for strided tensors"},
    {"offset", "O", false, "of a layout: offset of the generator (default 0)"},
    {"rows", "R", false, "of a layout: queries of an attention head"},
    {"columns", "C", false, "of a layout: keys of an attention head"},
    {"before", "B", false, "of a layout: elements that the generator drew before (default 0)"},
    {"run", "K", false, "of a layout: number of the session's run, or of the call (default 0)"},
    {"keep", "Q", false, "of a layout: probability of being kept, instead of --p"},
    {"path", "M", false,
     "of jax's layouts: names of flax.linen's modules down to the layer, by /; --run its call"},
};

static const option_spec bytes_options[] = {
    SEED,
    STREAM,
    {"first-block", "B", true, "first block of 16 bytes"},
    {"n", "N", true, "number of bytes"},
    GENERATOR,
    ISA,
};

static const option_spec apply_options[] = {
    SEED,
    STREAM,
    PROBABILITY,
    {"first", "F", false, "element of the mask that meets the first one of the file (default 0)"},
    {"scaling", "X", false, "inverted (default): kept times 1/(1-p); standard: kept as it is"},
    {"dtype", "D", false,
     "what elements are if the file says V2, u1, ...: bf16, f8_e4m3, ...; an unknown name lists all"},
    GENERATOR,
    ISA,
};

typedef struct command {
    const char *name;
    const char *operands;
    const char *summary;
    const option_spec *options;
    int n_options;
    int n_operands;
    int (*run)(const struct command *self, const option_values *given);
} command;

/* ---- Values ---- */

/* The value of an option by name; NULL if it was not given. */
static const char *value_of(const command *self, const option_values *given, const char *name)
{
    return options_value(self->options, self->n_options, given, name);
}

/* Reads a number, leaves *out if the option was not given. */
static bool read_u64(const command *self, const option_values *given, const char *name, uint64_t *out)
{
    const char *text = value_of(self, given, name);
    if (text == NULL || parse_u64(text, out))
        return true;
    fprintf(stderr, "dropwise: --%s takes a whole number below 2^64, decimal or 0x, not '%s'\n", name, text);
    return false;
}

/* Likewise a seed or stream, which may be negative. */
static bool read_seed(const command *self, const option_values *given, const char *name, uint64_t *out)
{
    const char *text = value_of(self, given, name);
    if (text == NULL || parse_seed(text, 64, out))
        return true;
    fprintf(stderr, "dropwise: --%s takes a whole number from -2^63 to 2^64 - 1, decimal or 0x, not '%s'\n",
            name, text);
    return false;
}

/* Reads one of two words: *out becomes 0 for the first, which is the default, and 1 for the second. */
static bool read_choice(const command *self, const option_values *given, const char *name, const char *zero,
                        const char *one, int *out)
{
    const char *text = value_of(self, given, name);
    *out = text != NULL && strcmp(text, one) == 0;
    if (text == NULL || *out == 1 || strcmp(text, zero) == 0)
        return true;
    fprintf(stderr, "dropwise: --%s takes %s or %s, not '%s'\n", name, zero, one, text);
    return false;
}

/* Whether a tier is built, and perhaps usable too. */
static bool is_listed(dropwise_isa isa, bool usable_only)
{
    const dropwise_status status = dropwise_isa_check(isa);
    return status == DROPWISE_OK || (!usable_only && status != DROPWISE_ERROR_ISA_NOT_BUILT);
}

static void print_tiers(FILE *out, bool usable_only)
{
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++)
        if (is_listed(isa, usable_only))
            fprintf(out, " %s", dropwise_isa_name(isa));
}

/* 0, or an exit status after a message. */
static int select_isa(const command *self, const option_values *given)
{
    const char *name = value_of(self, given, "isa");
    if (name == NULL)
        return 0;
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        if (strcmp(name, dropwise_isa_name(isa)) != 0)
            continue;
        const dropwise_status status = dropwise_isa_select(isa);
        if (status == DROPWISE_OK)
            return 0;
        fprintf(stderr, "dropwise: --isa %s: %s; usable here:", name, dropwise_status_string(status));
        print_tiers(stderr, true);
        fputc('\n', stderr);
        return EXIT_DATA;
    }
    fprintf(stderr, "dropwise: --isa takes");
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++)
        fprintf(stderr, "%s %s", isa == 1 ? "" : ",", dropwise_isa_name(isa));
    fprintf(stderr, ", not '%s'\n", name);
    return EXIT_USAGE;
}

/* The generator that --generator names. */
static int read_generator(const command *self, const option_values *given, dropwise_mask *mask)
{
    const char *name = value_of(self, given, "generator");
    if (name == NULL)
        return 0;
    for (uint32_t g = 1; dropwise_generator_name(g) != NULL; g++) {
        if (strcmp(name, dropwise_generator_name(g)) == 0) {
            mask->generator = g;
            return 0;
        }
    }
    fprintf(stderr, "dropwise: --generator takes");
    for (uint32_t g = 1; dropwise_generator_name(g) != NULL; g++)
        fprintf(stderr, "%s %s", g == 1 ? "" : ",", dropwise_generator_name(g));
    fprintf(stderr, ", not '%s'\n", name);
    return EXIT_USAGE;
}

/* The mask that --seed, --stream, --p (0 for a command without it) and --generator describe, and the tier. */
static int read_mask(const command *self, const option_values *given, dropwise_mask *mask)
{
    uint64_t seed = 0, stream = 0;
    double p = 0;
    if (!read_seed(self, given, "seed", &seed) || !read_seed(self, given, "stream", &stream))
        return EXIT_USAGE;
    const char *text = value_of(self, given, "p");
    if (text != NULL && !parse_double(text, &p)) {
        fprintf(stderr, "dropwise: --p takes a number, not '%s'\n", text);
        return EXIT_USAGE;
    }
    const dropwise_status status = dropwise_mask_init(mask, p, seed, stream);
    if (status != DROPWISE_OK) {
        fprintf(stderr, "dropwise: --p %s: %s\n", text, dropwise_status_string(status));
        return EXIT_USAGE;
    }
    const int generator = read_generator(self, given, mask);
    return generator != 0 ? generator : select_isa(self, given);
}

/* ---- Output ---- */

static int finish(output *out)
{
    const char *wrong = output_finish(out);
    return wrong == NULL ? 0 : fail("%s: %s", out->name, wrong);
}

/* What printf wrote. */
static int finish_stdout(void)
{
    output out = output_standard();
    return finish(&out);
}

static size_t chunk_of(uint64_t left)
{
    return left < CHUNK ? (size_t)left : CHUNK;
}

/* ---- info ---- */

static const option_spec info_options[] = {
    {"json", NULL, false, "the same as one JSON object (RFC 8259)"},
};

/* A member of an object that is not its first. None of the library's words need an escape. */
static void print_json(const char *name, const char *text)
{
    printf(",\n  \"%s\": \"%s\"", name, text);
}

static void print_json_tiers(const char *name, bool usable_only)
{
    const char *before = "";
    printf(",\n  \"%s\": [", name);
    for (dropwise_isa isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        if (is_listed(isa, usable_only)) {
            printf("%s\"%s\"", before, dropwise_isa_name(isa));
            before = ", ";
        }
    }
    printf("]");
}

static void print_info_json(void)
{
    const uint64_t features = dropwise_cpu_features();
    const char *before = "";
    printf("{\n  \"abi_version\": %d,\n  \"stream_version\": %d", DROPWISE_ABI_VERSION,
           DROPWISE_STREAM_VERSION);
    print_json("version", dropwise_version());
    printf(",\n  \"parts\": [");
    for (uint32_t k = 0; dropwise_part_name(k) != NULL; k++)
        printf("%s\"%s\"", k > 0 ? ", " : "", dropwise_part_name(k));
    printf("]");
    printf(",\n  \"cpu_features\": [");
    for (uint32_t k = 0; dropwise_cpu_feature_name(k) != NULL; k++) {
        if (features >> k & 1) {
            printf("%s\"%s\"", before, dropwise_cpu_feature_name(k));
            before = ", ";
        }
    }
    printf("]");
    print_json_tiers("tiers_built", false);
    print_json_tiers("tiers_usable", true);
    print_json("tier", dropwise_isa_name(dropwise_isa_active()));
    print_json("tier_reason", dropwise_isa_reason());
    print_json("aes", dropwise_aes_name());
    print_json("aes_reason", dropwise_aes_reason());
    printf(",\n  \"math\": %s", dropwise_math_check() == DROPWISE_OK ? "true" : "false");
    print_json("math_reason", dropwise_math_reason());
    printf("\n}\n");
}

static int run_info(const command *self, const option_values *given)
{
    if (value_of(self, given, "json") != NULL) {
        print_info_json();
        return finish_stdout();
    }
    const uint64_t features = dropwise_cpu_features();
    printf("dropwise      %s (ABI %d, stream version %d)\n", dropwise_version(), DROPWISE_ABI_VERSION,
           DROPWISE_STREAM_VERSION);
    printf("parts        ");
    for (uint32_t k = 0; dropwise_part_name(k) != NULL; k++)
        printf(" %s", dropwise_part_name(k));
    printf("\nCPU features ");
    for (uint32_t k = 0; dropwise_cpu_feature_name(k) != NULL; k++)
        if (features >> k & 1)
            printf(" %s", dropwise_cpu_feature_name(k));
    printf("\ntiers built  ");
    print_tiers(stdout, false);
    printf("\ntiers usable ");
    print_tiers(stdout, true);
    printf("\ntier chosen   %s: %s\n", dropwise_isa_name(dropwise_isa_active()), dropwise_isa_reason());
    printf("AES           %s, for ars4x32-7: %s\n", dropwise_aes_name(), dropwise_aes_reason());
    printf("math          %s: %s\n", dropwise_math_check() == DROPWISE_OK ? "yes" : "no",
           dropwise_math_reason());
    return finish_stdout();
}

/* ---- mask ---- */

/* The library's own masks need --stream and --p, and take none of the layouts' options. */
static bool has_no_layout_options(const command *self, const option_values *given)
{
    static const char *const others[] = {"dtype",   "size",   "threads", "vector", "offset", "rows",
                                         "columns", "before", "run",     "keep",   "path"};
    static const char *const needed[] = {"stream", "p"};
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (value_of(self, given, needed[i]) == NULL) {
            fprintf(stderr, "dropwise: option --%s is missing\n", needed[i]);
            return false;
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (value_of(self, given, others[i]) != NULL) {
            fprintf(stderr, "dropwise: --%s is an option of layouts, and there is no --layout\n", others[i]);
            return false;
        }
    }
    return true;
}

/* Where the elements of a mask end. */
static int check_end(uint64_t first, uint64_t n, const dropwise_interop *layout)
{
    const uint64_t size = layout != NULL ? layout->size : DROPWISE_INDEX_LIMIT;
    if (n <= size && first <= size - n)
        return 0;
    if (layout == NULL)
        return fail("elements are counted to 2^60: --first %" PRIu64 " --n %" PRIu64 " goes past it", first,
                    n);
    return fail("this mask has %" PRIu64 " elements: --first %" PRIu64 " --n %" PRIu64 " goes past them",
                size, first, n);
}

static int run_mask(const command *self, const option_values *given)
{
    dropwise_mask mask;
    dropwise_interop interop;
    uint64_t first = 0, n = 0;
    int raw;
    const char *layout = value_of(self, given, "layout");
    if (layout == NULL && !has_no_layout_options(self, given))
        return EXIT_USAGE;
    if (layout != NULL && value_of(self, given, "generator") != NULL) {
        fprintf(stderr, "dropwise: --layout has a generator of its own, and takes no --generator\n");
        return EXIT_USAGE;
    }
    if (layout != NULL && !layout_read(layout, self->options, self->n_options, given, &interop))
        return EXIT_USAGE;
    int status = layout == NULL ? read_mask(self, given, &mask) : select_isa(self, given);
    if (status != 0)
        return status;
    if (!read_u64(self, given, "first", &first) || !read_u64(self, given, "n", &n) ||
        !read_choice(self, given, "format", "ascii", "raw", &raw))
        return EXIT_USAGE;
    status = check_end(first, n, layout != NULL ? &interop : NULL);
    if (status != 0)
        return status;

    static uint8_t bits[CHUNK / 8];
    static char digits[CHUNK];
    output out = output_standard();
    bool written = true;
    for (uint64_t done = 0; written && done < n;) {
        const size_t len = chunk_of(n - done);
        const dropwise_status drawn = layout != NULL
                                          ? dropwise_interop_bits(&interop, first + done, len, bits)
                                          : dropwise_draw_bits(&mask, first + done, len, bits);
        if (drawn != DROPWISE_OK)
            return fail("%s", dropwise_status_string(drawn));
        if (raw) {
            written = output_write(&out, bits, (len + 7) / 8);
        } else {
            for (size_t i = 0; i < len; i++)
                digits[i] = (char)('0' + (bits[i / 8] >> i % 8 & 1));
            written = output_write(&out, digits, len);
        }
        done += len;
    }
    if (written && !raw)
        (void)output_write(&out, "\n", 1);
    return finish(&out);
}

/* ---- bytes ---- */

static int run_bytes(const command *self, const option_values *given)
{
    dropwise_mask mask;
    uint64_t block = 0, n = 0;
    const int status = read_mask(self, given, &mask);
    if (status != 0)
        return status;
    if (!read_u64(self, given, "first-block", &block) || !read_u64(self, given, "n", &n))
        return EXIT_USAGE;
    if (n != 0 && block > UINT64_MAX - (n - 1) / 16)
        return fail("blocks are counted to 2^64: %" PRIu64 " bytes from block %" PRIu64 " go past it", n,
                    block);

    static uint8_t bytes[CHUNK];
    output out = output_standard();
    bool written = true;
    for (uint64_t done = 0; written && done < n;) {
        const size_t len = chunk_of(n - done);
        const dropwise_status drawn = dropwise_draw_bytes(&mask, block + done / 16, len, bytes);
        if (drawn != DROPWISE_OK)
            return fail("%s", dropwise_status_string(drawn));
        written = output_write(&out, bytes, len);
        done += len;
    }
    return finish(&out);
}

/* ---- apply ---- */

static int run_apply(const command *self, const option_values *given)
{
    dropwise_mask mask;
    uint64_t first = 0;
    int standard;
    int status = read_mask(self, given, &mask);
    if (status != 0)
        return status;
    if (!read_u64(self, given, "first", &first) ||
        !read_choice(self, given, "scaling", "inverted", "standard", &standard))
        return EXIT_USAGE;
    mask.scaling = standard ? DROPWISE_SCALING_STANDARD : DROPWISE_SCALING_INVERTED;

    const char *name = value_of(self, given, "dtype");
    dropwise_dtype dtype = 0;
    if (name != NULL && !parse_dtype(name, &dtype)) {
        fprintf(stderr, "dropwise: --dtype takes ");
        print_dtypes(stderr);
        fprintf(stderr, ", not '%s'\n", name);
        return EXIT_USAGE;
    }
    return apply_file(&mask, first, dtype, given->operand[0], given->operand[1]);
}

/* ---- Main ---- */

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static const command commands[] = {
    {"info", "", "parts built, CPU features seen, tiers built and usable, the tier chosen and why",
     info_options, COUNT(info_options), 0, run_info},
    {"mask", "", "keep bits of elements F to F + N - 1: 1 is kept, 0 is dropped", mask_options,
     COUNT(mask_options), 0, run_mask},
    {"bytes", "", "the generator's raw bytes", bytes_options, COUNT(bytes_options), 0, run_bytes},
    {"apply", " IN.npy OUT.npy", "dropout of a tensor in NumPy's format; - is standard input or output",
     apply_options, COUNT(apply_options), 2, run_apply},
};

static void print_usage(FILE *out, const command *self)
{
    fprintf(out, "usage: dropwise %s", self->name);
    for (int i = 0; i < self->n_options; i++)
        fprintf(out, self->options[i].required ? " --%s%s%s" : " [--%s%s%s]", self->options[i].name,
                self->options[i].value != NULL ? " " : "",
                self->options[i].value != NULL ? self->options[i].value : "");
    fprintf(out, "%s\n", self->operands);
}

static void print_command_help(const command *self)
{
    print_usage(stdout, self);
    printf("\n%s\n\n", self->summary);
    for (int i = 0; i < self->n_options; i++)
        printf("  --%-11s %s  %s\n", self->options[i].name,
               self->options[i].value != NULL ? self->options[i].value : " ", self->options[i].help);
    printf("  --help           this text\n");
    if (self->run != run_info)
        printf("\nWhole numbers have 64 bits, decimal or 0x. S and T may be negative: -7 is 2^64 - 7.\n");
}

static void print_help(void)
{
    printf("usage: dropwise COMMAND [OPTIONS]\n\n"
           "Dropout masks from counter-based random numbers.\n\n");
    for (int i = 0; i < COUNT(commands); i++)
        printf("  %-6s %s\n", commands[i].name, commands[i].summary);
    printf("\ndropwise COMMAND --help says what a command takes; dropwise --version the version.\n");
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* writing to a closed pipe, and past a limit, are errors like others */
    signal(SIGXFSZ, SIG_IGN);
    if (argc < 2) {
        fprintf(stderr, "dropwise: a command is missing; dropwise --help lists them\n");
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0) {
        print_help();
        return finish_stdout();
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("dropwise %s\n", dropwise_version());
        return finish_stdout();
    }
    for (int c = 0; c < COUNT(commands); c++) {
        const command *self = &commands[c];
        if (strcmp(argv[1], self->name) != 0)
            continue;
        for (int i = 2; i < argc; i++) {
            if (strcmp(argv[i], "--help") == 0) {
                print_command_help(self);
                return finish_stdout();
            }
        }
        option_values given;
        int status = EXIT_USAGE;
        if (options_read(argc - 2, argv + 2, self->options, self->n_options, self->n_operands, &given))
            status = self->run(self, &given);
        if (status == EXIT_USAGE)
            print_usage(stderr, self);
        return status;
    }
    fprintf(stderr, "dropwise: unknown command '%s'; dropwise --help lists them\n", argv[1]);
    return EXIT_USAGE;
}
