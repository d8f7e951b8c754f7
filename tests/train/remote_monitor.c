/* RemoteMonitor against a server of our own on this machine. */
#include "tests/train/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

/* Answers requests until it was asked `wanted` times, and keeps what they were. */
typedef struct server {
    int listening, wanted;
    char root[64], requests[8192];
    pthread_t thread;
} server;

static bool is_whole(const char *request) {
    const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");
    return end && length && strlen(end + 4) >= (size_t)atoi(length + 16);
}

static void *serve(void *context) {
    server *self = context;
    for (int i = 0; i < self->wanted; i++) {
        const int one = accept(self->listening, NULL, NULL);
        char request[2048] = "";
        size_t used = 0;
        while (!is_whole(request) && used < sizeof request - 1) {
            const ssize_t got = recv(one, request + used, sizeof request - 1 - used, 0);
            if (got <= 0) break;
            used += (size_t)got;
        }
        strcat(self->requests, request);
        static const char answer[] = "HTTP/1.0 500 no\r\n\r\n";
        send(one, answer, strlen(answer), MSG_NOSIGNAL);
        close(one);
    }
    return NULL;
}

static void start(server *self, int wanted) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof at;
    *self = (server){.wanted = wanted};
    self->listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(self->listening, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(self->listening, (struct sockaddr *)&at, &bytes), 0);
    assert_int_equal(listen(self->listening, 4), 0);
    snprintf(self->root, sizeof self->root, "http://127.0.0.1:%d", ntohs(at.sin_port));
    assert_int_equal(pthread_create(&self->thread, NULL, serve, self), 0);
}

static void finish(server *self) {
    pthread_join(self->thread, NULL);
    close(self->listening);
}

static void count_warning(void *context, const char *message) {
    ++*(int *)context;
    if (!strstr(message, "could not reach RemoteMonitor root server at http://"))
        fail_msg("%s", message);
}

/* y = w x with w = 1, x = 1, target 0: the first loss is 1. Frees the callback. */
static int warnings_of_fit(kf_callback *callback, int32_t epochs) {
    int warnings = 0;
    kf_graph *graph = kf_graph_new();
    kf_graph_on_warning(graph, count_warning, &warnings);
    kf_model *model = line_model(graph, 1);
    const float x[] = {1, 1}, y[] = {0, 0};
    const kf_array arrays[] = {ARRAY("x", x, 2), ARRAY("y", y, 2)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    ok(kf_compile(model, .optimizer = kf_sgd(0.25f), .loss = "mse"));
    ok(kf_fit(model, data, .epochs = epochs, .callbacks = {callback}));
    kf_callback_free(callback);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return warnings;
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("no \"%s\" in \"%s\"", part, text);
}

static void each_epoch_is_posted_as_a_form(void **state) {
    (void)state;
    server self;
    start(&self, 2);
    assert_int_equal(warnings_of_fit(kf_remote_monitor(self.root), 2), 0);
    finish(&self);
    assert_has(self.requests, "POST /publish/epoch/end/ HTTP/1.0\r\nHost: 127.0.0.1:");
    assert_has(self.requests, "Content-Type: application/x-www-form-urlencoded\r\n");
    assert_has(self.requests, "\r\n\r\ndata=%7B%22epoch%22%3A%200%2C%20%22loss%22%3A%201.0%7D");
    assert_has(self.requests, "data=%7B%22epoch%22%3A%201%2C%20%22loss%22%3A%200.25%7D");
}

static void or_as_json_with_headers(void **state) {
    (void)state;
    server self;
    start(&self, 1);
    strcat(self.root, "/prefix");
    kf_callback *callback = kf_remote_monitor(self.root, .path = "/end", .send_as_json = true,
                                              .headers = "A: b\nAuthorization: c d\n");
    assert_int_equal(warnings_of_fit(callback, 1), 0);
    finish(&self);
    assert_has(self.requests, "POST /prefix/end HTTP/1.0\r\n");
    assert_has(self.requests, "Content-Type: application/json\r\n");
    assert_has(self.requests,
               "\r\nA: b\r\nAuthorization: c d\r\n\r\n{\"epoch\": 0, \"loss\": 1.0}");
}

static void a_server_that_is_not_there_is_a_warning(void **state) {
    (void)state;
    server self;
    start(&self, 0);
    finish(&self); /* nobody listens any more */
    assert_int_equal(warnings_of_fit(kf_remote_monitor(self.root), 2), 2);
}

static void wrong_addresses_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"https://host", "host:9000",    "http://",
                                        "http://h:",    "http://h:12x", "http://h /"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kf_callback *callback = kf_remote_monitor(wrong[i]);
        refuses(kf_callback_error(callback), KF_INVALID, "RemoteMonitor: root must be http://HOST");
        kf_callback_free(callback);
    }
    kf_callback *callback = kf_callback_named("remote_monitor(path='/a b')");
    refuses(kf_callback_error(callback), KF_INVALID, "path must be a part of an address");
    kf_callback_free(callback);
    callback = kf_callback_named("RemoteMonitor('http://localhost:9000', send_as_json=True)");
    ok(kf_callback_error(callback));
    kf_callback_free(callback);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("each epoch is posted as a form", each_epoch_is_posted_as_a_form),
        SENTENCE("or as JSON, with headers", or_as_json_with_headers),
        SENTENCE("a server that is not there is a warning",
                 a_server_that_is_not_there_is_a_warning),
        SENTENCE("wrong addresses are refused", wrong_addresses_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
