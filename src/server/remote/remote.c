/* A queue and a few threads, each with one request at a time. What libcurl is told: HTTPS, or HTTP where the configuration's URL says so; no
 * redirects, since they would carry the person's text to somebody who is not in the configuration; no cookies. */
#include "server/remote/remote.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "server/remote/curl_library.h"
#include "server/remote/remote_reply.h"
#include "server/remote/remote_request.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N_THREADS = 4, MOST_QUEUED = 64, MOST_KEY_BYTES = 4096 };

/* A job under way, with its own copy of the backend: the configuration may change meanwhile. */
struct task {
    struct task *next;
    struct remote *remote;
    struct job *job;
    char *name, *url, *model, *key_file, *log_file;
    enum config_api api;
    double timeout_s;
    char reason[480]; /* why the model of ours failed */
    struct remote_reply reply;
    struct buffer refusal; /* the body of a reply that is no 200 */
    long status;
    bool is_sent;
    uint64_t begun_ns;
};

struct remote {
    struct curl_library curl;
    struct server_log *log;
    struct metrics *metrics;
    void (*announce)(void *context, struct job *job);
    void *context;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    const struct config *config;
    struct task *first, **last;
    size_t n_queued;
    atomic_bool is_ending;
    pthread_t threads[N_THREADS];
    size_t n_threads;
};

static void task_free(struct task *task)
{
    if (!task) return;
    job_unref(task->job);
    memory_free(task->name);
    memory_free(task->url);
    memory_free(task->model);
    memory_free(task->key_file);
    memory_free(task->log_file);
    buffer_release(&task->refusal);
    remote_reply_release(&task->reply);
    memory_free(task);
}

/* ---- the log ---- */

static bool write_all(int fd, const char *bytes, size_t n_bytes)
{
    while (n_bytes) {
        ssize_t n = write(fd, bytes, n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        bytes += n;
        n_bytes -= (size_t)n;
    }
    return true;
}

/* The folder of a file that nobody has written yet. */
static void make_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char folder[4096];
    if (!slash || slash == path || (size_t)(slash - path) >= sizeof folder) return;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    for (char *c = folder + 1; *c; c++) {
        if (*c != '/') continue;
        *c = 0;
        mkdir(folder, 0700);
        *c = '/';
    }
    mkdir(folder, 0700);
}

/* Everything that will go out, the key apart, on the disk before a byte of it is sent. */
static bool log_request(const struct task *task, const char *url, const char *body, struct problem *ret_problem)
{
    struct buffer entry = {0};
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    buffer_printf(
        &entry,
        "--- %lld.%03ld backend=%s request=%s because: %s\nPOST %s\nUser-Agent: hob\nAccept: */*\nContent-Type: "
        "application/json\n%s\n\n%s\n",
        (long long)now.tv_sec, now.tv_nsec / 1000000, task->name, task->job->request_id ? task->job->request_id : "",
        task->reason, url,
        task->api == CONFIG_API_ANTHROPIC ? "anthropic-version: 2023-06-01\nx-api-key: (from the key file)"
                                          : "Authorization: Bearer (from the key file)",
        body);
    make_folder(task->log_file);
    int fd = open(task->log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool is_written =
        fd >= 0 && !entry.is_failed && write_all(fd, buffer_text(&entry), entry.n_bytes) && fdatasync(fd) == 0;
    if (!is_written)
        problem_set(ret_problem, PROBLEM_INTERNAL,
                    "%s; the backend \"%s\" was not asked, because its log %s cannot be written: %s", task->reason,
                    task->name, task->log_file, strerror(errno));
    if (fd >= 0) close(fd);
    buffer_release(&entry);
    return is_written;
}

/* ---- a request ---- */

static size_t on_bytes(char *bytes, size_t item_bytes, size_t n_items, void *context)
{
    struct task *task = context;
    size_t n_bytes = item_bytes * n_items;
    struct remote *remote = task->remote;
    metrics_add(remote->metrics, METRIC_cloud_bytes, (struct labels){.kind = "received"}, (double)n_bytes);
    remote_reply_push(&task->reply, bytes, n_bytes);
    if (!task->reply.has_started) buffer_append(&task->refusal, bytes, n_bytes);
    remote->announce(remote->context, task->job);
    return n_bytes;
}

/* Whether nobody waits for the answer any more. */
static bool is_due(const struct task *task, struct problem *ret_problem)
{
    const struct job *job = task->job;
    bool is_late = job->deadline_ns && clock_now_ns() >= job->deadline_ns;
    if (task->remote->is_ending) problem_set(ret_problem, PROBLEM_CANCELLED, "the daemon stops");
    else if (job_is_cancelled(job)) problem_set(ret_problem, PROBLEM_CANCELLED, "the request was cancelled");
    else if (is_late) problem_set(ret_problem, PROBLEM_DEADLINE, "%s; the backend \"%s\" did not answer in time", task->reason, task->name);
    else return false;
    return true;
}

/* Called about once a second at least: whether to give up. */
static int on_progress(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct problem problem;
    (void)a, (void)b, (void)c, (void)d;
    return is_due(context, &problem);
}

static bool read_key(const struct task *task, char key[MOST_KEY_BYTES], struct problem *ret_problem)
{
    *key = 0;
    if (!task->key_file || !*task->key_file) return true;
    int fd = open(task->key_file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, key, MOST_KEY_BYTES - 1) : -1;
    if (fd >= 0) close(fd);
    if (n < 0)
        return problem_set(ret_problem, PROBLEM_INTERNAL, "%s; the backend \"%s\" was not asked: %s: %s", task->reason,
                           task->name, task->key_file, strerror(errno));
    key[n] = 0;
    key[strcspn(key, "\r\n")] = 0;
    return true;
}

static struct curl_slist *headers_of(const struct task *task, const char *key)
{
    const struct curl_library *curl = &task->remote->curl;
    char line[MOST_KEY_BYTES + 64];
    bool is_anthropic = task->api == CONFIG_API_ANTHROPIC;
    struct curl_slist *headers = curl->slist_append(NULL, "Content-Type: application/json");
    headers = curl->slist_append(headers, "Expect:"); /* nothing goes out that the log does not have */
    if (is_anthropic) headers = curl->slist_append(headers, "anthropic-version: 2023-06-01");
    if (*key) {
        snprintf(line, sizeof line, "%s%s", is_anthropic ? "x-api-key: " : "Authorization: Bearer ", key);
        headers = curl->slist_append(headers, line);
    }
    return headers;
}

static void set_options(struct task *task, CURL *handle, const char *url, const char *body, struct curl_slist *headers)
{
    const struct curl_library *curl = &task->remote->curl;
    bool is_plain = !strncmp(url, "http://", 7);
    curl->easy_setopt(handle, CURLOPT_URL, url);
    curl->easy_setopt(handle, CURLOPT_PROTOCOLS_STR, is_plain ? "http" : "https");
    curl->easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L);
    curl->easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl->easy_setopt(handle, CURLOPT_POSTFIELDS, body);
    curl->easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
    curl->easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl->easy_setopt(handle, CURLOPT_TIMEOUT_MS, (long)(task->timeout_s * 1000));
    curl->easy_setopt(handle, CURLOPT_USERAGENT, "hob");
    curl->easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_bytes);
    curl->easy_setopt(handle, CURLOPT_WRITEDATA, task);
    curl->easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl->easy_setopt(handle, CURLOPT_XFERINFODATA, task);
    curl->easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
}

/* What the other side said, or libcurl did. */
static bool judge(struct task *task, CURLcode code, struct problem *ret_problem)
{
    if (code != CURLE_OK && is_due(task, ret_problem)) return false;
    if (code != CURLE_OK)
        return problem_set(ret_problem, PROBLEM_INTERNAL, "%s; the backend \"%s\" failed too: %s", task->reason,
                           task->name, task->remote->curl.easy_strerror(code));
    if (task->status != 200)
        return problem_set(ret_problem, PROBLEM_INTERNAL, "%s; the backend \"%s\" answered HTTP %ld: %.200s",
                           task->reason, task->name, task->status, buffer_text(&task->refusal));
    struct problem inner;
    if (remote_reply_finish(&task->reply, &inner)) return true;
    return problem_set(ret_problem, PROBLEM_INTERNAL, "%s; the backend \"%s\" failed too: %.200s", task->reason,
                       task->name, inner.message);
}

static bool send_request(struct task *task, const char *url, const char *body, struct problem *ret_problem)
{
    struct remote *remote = task->remote;
    const struct curl_library *curl = &remote->curl;
    char key[MOST_KEY_BYTES];
    if (is_due(task, ret_problem) || !read_key(task, key, ret_problem) || !log_request(task, url, body, ret_problem)) return false;
    CURL *handle = curl->easy_init();
    if (!handle)
        return problem_set(ret_problem, PROBLEM_NO_MEMORY, "no memory for a request to the backend \"%s\"", task->name);
    struct curl_slist *headers = headers_of(task, key);
    task->refusal.cap_bytes = 4096;
    set_options(task, handle, url, body, headers);
    task->is_sent = true;
    metrics_add(remote->metrics, METRIC_cloud_bytes, (struct labels){.kind = "sent"}, (double)strlen(body));
    CURLcode code = curl->easy_perform(handle);
    curl->easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &task->status);
    curl->slist_free_all(headers);
    curl->easy_cleanup(handle);
    return judge(task, code, ret_problem);
}

static bool ask(struct task *task, struct problem *ret_problem)
{
    const struct generate_job *generate = (const struct generate_job *)task->job;
    struct buffer url = {0};
    size_t n_url = strlen(task->url);
    while (n_url && task->url[n_url - 1] == '/') n_url--;
    buffer_append(&url, task->url, n_url);
    buffer_append_string(&url, remote_path(generate, task->api));
    json_t *object = remote_body(generate, task->api, task->model);
    char *body = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    bool is_done = body && !url.is_failed ? send_request(task, buffer_text(&url), body, ret_problem)
                                          : problem_set(ret_problem, PROBLEM_NO_MEMORY,
                                                        "no memory for a request to the backend \"%s\"", task->name);
    free(body);
    buffer_release(&url);
    return is_done;
}

/* ---- threads ---- */

static void end_transcript(struct task *task, bool is_done, const struct problem *problem)
{
    struct event *event = transcript_last_event(task->job->transcript, is_done ? EVENT_DONE : EVENT_FAILED);
    event->usage = task->reply.usage;
    event->usage.total_ms = (double)(clock_now_ns() - task->job->submitted_ns) / 1e6;
    event->usage.generate_ms = (double)(clock_now_ns() - task->begun_ns) / 1e6;
    if (!is_done) event->problem = *problem;
    transcript_append(task->job->transcript, event);
}

static void run(struct task *task)
{
    struct remote *remote = task->remote;
    struct problem problem = {.kind = PROBLEM_INTERNAL};
    task->begun_ns = clock_now_ns();
    server_log(remote->log, LOG_WARNING, "a remote backend is asked",
               (struct log_field[]){LOG_TEXT("backend", task->name), LOG_TEXT("url", task->url),
                                    LOG_TEXT("because", task->reason), LOG_TEXT("id", task->job->request_id),
                                    LOG_FIELDS_END});
    bool is_done = ask(task, &problem);
    if (task->is_sent) metrics_add(remote->metrics, METRIC_cloud_requests, (struct labels){.kind = is_done ? "ok" : "failed"}, 1);
    end_transcript(task, is_done, &problem);
    remote->announce(remote->context, task->job);
}

static struct task *take_task(struct remote *remote)
{
    pthread_mutex_lock(&remote->mutex);
    while (!remote->first && !remote->is_ending) pthread_cond_wait(&remote->changed, &remote->mutex);
    struct task *task = remote->first;
    if (task) {
        remote->first = task->next;
        if (!remote->first) remote->last = &remote->first;
        remote->n_queued--;
    }
    pthread_mutex_unlock(&remote->mutex);
    return task;
}

static void *work(void *context)
{
    struct remote *remote = context;
    for (struct task *task; (task = take_task(remote)); task_free(task))
        run(task); /* cancelled at once when all is ending */
    return NULL;
}

/* ---- taking jobs ---- */

static bool stands_in(const struct config_backend *backend, const char *model_name)
{
    for (size_t i = 0; i < backend->for_models.n_items; i++)
        if (!strcmp(backend->for_models.items[i], model_name)) return true;
    return false;
}

static struct task *task_new(struct remote *remote, const struct config_backend *backend, struct job *job,
                             const char *model_name, const struct problem *problem)
{
    struct task *task = memory_new(1, sizeof *task);
    if (!task) return NULL;
    task->remote = remote;
    task->name = memory_copy_string(backend->name);
    task->url = memory_copy_string(backend->url);
    task->model = memory_copy_string(backend->model && *backend->model ? backend->model : model_name);
    task->key_file = memory_copy_string(backend->api_key_file ? backend->api_key_file : "");
    task->log_file = memory_copy_string(backend->log_file);
    task->api = (enum config_api)backend->api;
    task->timeout_s = backend->timeout_s;
    task->reply.transcript = job->transcript;
    task->reply.api = task->api;
    snprintf(task->reason, sizeof task->reason, "%.200s", problem->message);
    if (task->name && task->url && task->model && task->key_file && task->log_file) {
        task->job = job_ref(job);
        return task;
    }
    task_free(task);
    return NULL;
}

static bool is_ours_to_mend(enum problem_kind kind)
{
    return kind == PROBLEM_INTERNAL || kind == PROBLEM_NO_MEMORY || kind == PROBLEM_LOADING ||
           kind == PROBLEM_NO_MODEL || kind == PROBLEM_UNSUPPORTED;
}

bool remote_take(struct remote *remote, struct job *job, const char *model_name, const struct problem *problem)
{
    bool is_taken = false;
    if (!remote || job->def != &job_generate || !is_ours_to_mend(problem->kind) ||
        transcript_next(job->transcript, NULL) || !remote_can_ask((const struct generate_job *)job))
        return false;
    pthread_mutex_lock(&remote->mutex);
    for (size_t i = 0;
         i < remote->config->n_backends && !is_taken && !remote->is_ending && remote->n_queued < MOST_QUEUED; i++) {
        const struct config_backend *backend = &remote->config->backends[i];
        struct task *task = stands_in(backend, model_name) ? task_new(remote, backend, job, model_name, problem) : NULL;
        if (!task) continue;
        *remote->last = task;
        remote->last = &task->next;
        remote->n_queued++;
        is_taken = true;
    }
    pthread_cond_signal(&remote->changed);
    pthread_mutex_unlock(&remote->mutex);
    return is_taken;
}

/* ---- life ---- */

hob_status remote_new(const struct config *config, struct server_log *log, struct metrics *metrics,
                      void (*announce)(void *context, struct job *job), void *context, struct remote **ret_remote,
                      hob_error *error)
{
    struct remote *remote = memory_new(1, sizeof *remote);
    if (!remote) FAIL(error, HOB_NO_MEMORY, "remote backends: out of memory");
    hob_status status = HOB_OK;
    remote->last = &remote->first;
    remote->config = config;
    remote->log = log;
    remote->metrics = metrics;
    remote->announce = announce;
    remote->context = context;
    pthread_mutex_init(&remote->mutex, NULL);
    pthread_cond_init(&remote->changed, NULL);
    TRY_CLEANUP(curl_library_open(&remote->curl, error));
    for (; remote->n_threads < N_THREADS; remote->n_threads++)
        if (pthread_create(&remote->threads[remote->n_threads], NULL, work, remote) != 0)
            FAIL_CLEANUP(error, HOB_NO_MEMORY, "remote backends: the system gives no thread");
cleanup:
    if (status == HOB_OK) *ret_remote = remote;
    else remote_free(remote);
    return status;
}

void remote_stop(struct remote *remote)
{
    if (!remote) return;
    pthread_mutex_lock(&remote->mutex);
    remote->is_ending = true;
    pthread_cond_broadcast(&remote->changed);
    pthread_mutex_unlock(&remote->mutex);
    for (; remote->n_threads; remote->n_threads--) pthread_join(remote->threads[remote->n_threads - 1], NULL);
}

void remote_free(struct remote *remote)
{
    if (!remote) return;
    remote_stop(remote);
    pthread_cond_destroy(&remote->changed);
    pthread_mutex_destroy(&remote->mutex);
    memory_free(remote);
}

void remote_reload(struct remote *remote, const struct config *config)
{
    pthread_mutex_lock(&remote->mutex);
    remote->config = config;
    pthread_mutex_unlock(&remote->mutex);
}
