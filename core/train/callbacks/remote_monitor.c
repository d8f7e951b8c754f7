/* RemoteMonitor: posts each epoch's logs to an HTTP server, {"epoch": 0, "loss": 0.5 …}, as a field
 * of a form or as the JSON itself. As in Keras, a server that cannot be reached is a warning, and
 * what it answers does not matter. */
#include "core/train/callbacks/callback.h"

#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/model/model.h"
#include "io/json.h"

#include <ctype.h>
#include <math.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

typedef kf_remote_monitor_options remote_monitor;

enum { SECONDS_TO_WAIT = 10, MOST_HOST_BYTES = 256 };

static const kfi_field fields[] = {
    KFI_FIELD(remote_monitor, root, "root", kfi_field_string,
              .otherwise = "'http://localhost:9000'", .help = "the server, by http"),
    KFI_FIELD(remote_monitor, path, "path", kfi_field_string, .otherwise = "'/publish/epoch/end/'",
              .help = "what stands behind it in the address"),
    KFI_FIELD(remote_monitor, field, "field", kfi_field_string, .otherwise = "'data'",
              .help = "of the form, that the JSON goes into"),
    KFI_FIELD(remote_monitor, headers, "headers", kfi_field_string, .otherwise = "''",
              .help = "further lines of the request, as 'Name: value'"),
    KFI_FIELD(remote_monitor, send_as_json, "send_as_json", kfi_field_bool, .otherwise = "False",
              .help = "without a form"),
    KFI_FIELDS_END,
};

/* "http://host:port/prefix" in its parts. */
typedef struct address {
    char host[MOST_HOST_BYTES], port[8];
    const char *prefix;
} address;

static bool take_apart(const char *root, address *parts) {
    static const char scheme[] = "http://";
    if (strncmp(root, scheme, strlen(scheme)) != 0) return false;
    const char *host = root + strlen(scheme);
    const size_t host_bytes = strcspn(host, ":/");
    if (host_bytes == 0 || host_bytes >= sizeof parts->host) return false;
    memcpy(parts->host, host, host_bytes);
    parts->host[host_bytes] = '\0';
    const char *port = host + host_bytes + (host[host_bytes] == ':');
    const size_t port_bytes = strspn(port, "0123456789");
    if (port_bytes >= sizeof parts->port || (host[host_bytes] == ':') != (port_bytes > 0))
        return false;
    memcpy(parts->port, port_bytes ? port : "80", port_bytes ? port_bytes : 2);
    parts->port[port_bytes ? port_bytes : 2] = '\0';
    parts->prefix = port + port_bytes;
    return parts->prefix[0] == '\0' || parts->prefix[0] == '/';
}

static bool is_line(const char *text, const char *without) {
    return text[strcspn(text, without)] == '\0';
}

static kf_status check(const void *options) {
    const remote_monitor *given = options;
    address parts;
    if (!take_apart(given->root, &parts) || !is_line(given->root, " \r\n"))
        return kfi_fail(KF_INVALID, "root must be http://HOST, :PORT if it is not 80; got '%s'",
                        given->root);
    if (!is_line(given->path, " \r\n"))
        return kfi_fail(KF_INVALID, "path must be a part of an address; got '%s'", given->path);
    return KF_OK;
}

/* --- what is sent ----------------------------------------------------------------------------- */

static kf_status print_logs(int32_t epoch, const kf_log *logs, int32_t n_logs, char **text) {
    kfi_variant *dict = kfi_variant_dict();
    kf_status status = kfi_variant_put(dict, "epoch", kfi_variant_integer(epoch));
    for (int32_t i = 0; i < n_logs && status == KF_OK; i++)
        status = kfi_variant_put(dict, logs[i].name,
                                 isfinite(logs[i].value) ? kfi_variant_real(logs[i].value)
                                                         : kfi_variant_null());
    if (status == KF_OK) status = kfi_json_print(dict, text);
    kfi_variant_free(dict);
    return status;
}

/* field=JSON with all but letters, digits and -._ as %XX. */
static char *form_of(const char *field, const char *json) {
    const size_t most = 3 * (strlen(field) + strlen(json)) + 2;
    char *form = kfi_alloc(most, 1), *at = form;
    for (int part = 0; form && part < 2; part++) {
        if (part == 1) *at++ = '=';
        for (const char *from = part == 0 ? field : json; *from; from++) {
            const unsigned char byte = (unsigned char)*from;
            static const char digits[] = "0123456789ABCDEF";
            const bool plain = isalnum(byte) || strchr("-._", byte);
            if (!plain) *at++ = '%';
            if (!plain) *at++ = digits[byte >> 4];
            *at++ = plain ? (char)byte : digits[byte & 15];
        }
    }
    return form;
}

/* One header a line, whatever ends the lines. */
static char *request_of(const remote_monitor *options, const address *to, const char *body) {
    char *headers = kfi_alloc(2 * strlen(options->headers) + 3, 1), *at = headers;
    for (const char *from = options->headers; headers && *from;) {
        const size_t bytes = strcspn(from, "\r\n");
        if (bytes) at = stpcpy(mempcpy(at, from, bytes), "\r\n");
        from += bytes + strspn(from + bytes, "\r\n");
    }
    char *request = headers
                        ? kfi_format("POST %s%s HTTP/1.0\r\nHost: %s:%s\r\nContent-Type: %s\r\n"
                                     "Content-Length: %zu\r\n%s\r\n%s",
                                     to->prefix, options->path, to->host, to->port,
                                     options->send_as_json ? "application/json"
                                                           : "application/x-www-form-urlencoded",
                                     strlen(body), headers, body)
                        : NULL;
    kfi_free(headers);
    return request;
}

/* --- sending ---------------------------------------------------------------------------------- */

static int connect_to(const address *to) {
    struct addrinfo *found = NULL;
    const struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    const struct timeval patience = {.tv_sec = SECONDS_TO_WAIT};
    if (getaddrinfo(to->host, to->port, &wanted, &found) != 0) return -1;
    int connected = -1;
    for (const struct addrinfo *at = found; at && connected < 0; at = at->ai_next) {
        connected = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (connected < 0) continue;
        setsockopt(connected, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        setsockopt(connected, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (connect(connected, at->ai_addr, at->ai_addrlen) == 0) continue;
        close(connected);
        connected = -1;
    }
    freeaddrinfo(found);
    return connected;
}

/* True once the server has begun to answer. */
static bool post(const address *to, const char *request) {
    const int connected = connect_to(to);
    if (connected < 0) return false;
    size_t left = strlen(request);
    while (left > 0) {
        const ssize_t sent = send(connected, request, left, MSG_NOSIGNAL);
        if (sent <= 0) break;
        request += sent;
        left -= (size_t)sent;
    }
    char answer[512];
    const bool answered = left == 0 && recv(connected, answer, sizeof answer, 0) > 0;
    close(connected);
    return answered;
}

static kf_status epoch_end(kf_callback *callback, kf_model *model, int32_t epoch,
                           const kf_log *logs, int32_t n_logs) {
    const remote_monitor *options = kfi_callback_own(callback)->options;
    address to;
    if (!take_apart(options->root, &to)) return KF_OK; /* checked when it was made */
    char *json = NULL;
    const kf_status status = print_logs(epoch, logs, n_logs, &json);
    if (status != KF_OK) return status;
    char *form = options->send_as_json ? NULL : form_of(options->field, json);
    const char *body = options->send_as_json ? json : form;
    char *request = body ? request_of(options, &to, body) : NULL;
    if (request && !post(&to, request))
        kfi_graph_warn(model->graph, "could not reach RemoteMonitor root server at %s",
                       options->root);
    const bool whole = request != NULL;
    kfi_free(request);
    kfi_free(form);
    kfi_free(json);
    return whole ? KF_OK : KF_MEMORY;
}

const kfi_callback_class kfi_callback_remote_monitor = {
    .name = "RemoteMonitor",
    .typed_name = "remote_monitor",
    .fields = fields,
    .options_size = sizeof(remote_monitor),
    .check = check,
    .hooks = {.on_epoch_end = epoch_end},
};

kf_callback *kf_remote_monitor_create(const kf_remote_monitor_options *options) {
    return kfi_callback_new(&kfi_callback_remote_monitor, options);
}
