/* kfrun data: data files made from idx files, and what is in a data file. */
#include "../command/data_file.h"
#include "../command/report.h"
#include "commands.h"

#include <stdio.h>
#include <string.h>

typedef struct import_options {
    const char *output;
    bool no_channel;
} import_options;

static const tool_option import_table[] = {
    TOOL_OPTION(import_options, output, "output", tool_text, .argument = "OUT.h5",
                .help = "the file to write (required)"),
    TOOL_OPTION(import_options, no_channel, "no-channel", tool_flag,
                .help = "leave images (samples, rows, columns) without a channel axis"),
    TOOL_OPTIONS_END};

enum { MOST_FIELDS = 64 };

static const tool_command import_command = {
    .name = "kfrun data import-idx",
    .arguments = "NAME=FILE … --output OUT.h5",
    .least = 1,
    .most = MOST_FIELDS,
    .purpose = "Converts idx files (the format of MNIST; plain or gzip) to datasets of one file.",
    .notes =
        "A NAME with slashes makes groups: train/image=train-images-idx3-ubyte.gz. Images get\n"
        "a fourth axis of one channel.\n",
    .options = import_table};

static kf_status import_idx(int argc, char **argv) {
    import_options given = {0};
    int first;
    bool helped;
    const kf_status status = tool_parse(&import_command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    if (given.output == NULL) return tool_fail(KF_USAGE, "give --output OUT.h5");
    kf_idx_field fields[MOST_FIELDS];
    const int32_t n = argc - first;
    for (int32_t i = 0; i < n; i++) {
        char *equals = strchr(argv[first + i], '=');
        if (equals == NULL || equals == argv[first + i] || equals[1] == '\0')
            return tool_fail(KF_USAGE, "expected NAME=FILE; got '%s'", argv[first + i]);
        *equals = '\0';
        fields[i] = (kf_idx_field){argv[first + i], equals + 1, !given.no_channel};
    }
    return tool_fail_kf(kf_import_idx(given.output, fields, n));
}

typedef struct info_options {
    const char *group;
    bool json;
} info_options;

static const tool_option info_table[] = {
    TOOL_OPTION(info_options, group, "group", tool_text, .argument = "NAME",
                .help = "list the datasets of this group only"),
    TOOL_OPTION(info_options, json, "json", tool_flag, .help = "print them as JSON"),
    TOOL_OPTIONS_END};

static const tool_command info_command = {
    .name = "kfrun data info",
    .arguments = "DATA",
    .least = 1,
    .most = 1,
    .purpose = "Lists the datasets of DATA: name, type, and shape with the samples axis first.",
    .options = info_table};

static kf_status print_array(void *context, const char *name, kf_dtype dtype,
                             const kf_shape *shape) {
    (void)context;
    char text[TOOL_SHAPE_TEXT];
    printf("%-24s %-8s %s\n", name, kf_dtype_name(dtype), tool_shape_text(shape, text));
    return KF_OK;
}

static kf_status print_json_array(void *context, const char *name, kf_dtype dtype,
                                  const kf_shape *shape) {
    int64_t *n = context;
    printf("%s{\"name\": ", (*n)++ > 0 ? ", " : "[");
    tool_print_json_text(name);
    printf(", \"dtype\": \"%s\", \"shape\": ", kf_dtype_name(dtype));
    tool_print_json_shape(shape);
    printf("}");
    return KF_OK;
}

static kf_status print_json_list(const char *path, const char *group) {
    int64_t n = 0;
    const kf_status status = tool_fail_kf(kf_data_list(path, group, print_json_array, &n));
    if (status == KF_OK) printf(n > 0 ? "]\n" : "[]\n");
    return status;
}

static kf_status info(int argc, char **argv) {
    info_options given = {0};
    int first;
    bool helped;
    kf_status status = tool_parse(&info_command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    char path[TOOL_MAX_PATH];
    status = tool_data_split(argv[first], path, &given.group);
    if (status != KF_OK) return status;
    if (given.json) return print_json_list(path, given.group);
    return tool_fail_kf(kf_data_list(path, given.group, print_array, NULL));
}

static const char help[] =
    "usage: kfrun data import-idx NAME=FILE … --output OUT.h5\n"
    "       kfrun data info DATA\n\n"
    "'kfrun data import-idx --help' and 'kfrun data info --help' say more.\n";

kf_status kfrun_data(int argc, char **argv) {
    if (argc < 2) return tool_fail(KF_USAGE, "import-idx or info? see 'kfrun data --help'");
    if (strcmp(argv[1], "import-idx") == 0) return import_idx(argc - 1, argv + 1);
    if (strcmp(argv[1], "info") == 0) return info(argc - 1, argv + 1);
    if (strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0)
        return tool_fail(KF_USAGE, "unknown command 'data %s'; see 'kfrun data --help'", argv[1]);
    fputs(help, stdout);
    return KF_OK;
}
