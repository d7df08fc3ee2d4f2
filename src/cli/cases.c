#include "cli/cases.h"

#include "base/clock.h"
#include "base/error.h"
#include "cli/input.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/report.h"
#include "cli/run_graph.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct conformance_case {
    char *model_path, *data_path, *output_path;
};

/* Cuts the line at its two tabs. */
static hob_status split(char *line, struct conformance_case *ret_case, hob_error *error)
{
    char *first = strchr(line, '\t'), *second = first ? strchr(first + 1, '\t') : NULL;
    if (!second || strchr(second + 1, '\t'))
        FAIL(error, HOB_BAD_ARGUMENT, "found '%s', expected model<TAB>data set folder<TAB>output folder", line);
    *first = *second = 0;
    *ret_case = (struct conformance_case){line, first + 1, second + 1};
    return HOB_OK;
}

/* Inputs of the graph beyond the last file are left to it: they have a default, or it says what is missing. */
static hob_status add_inputs(struct run *run, const char *folder, struct buffer *path, hob_error *error)
{
    size_t n_inputs = hob_model_n_inputs(run->loaded.model);
    for (size_t i = 0; i < n_inputs; i++) {
        char name[40];
        snprintf(name, sizeof name, "input_%zu", i);
        TRY(join_path(folder, name, ".pb", path, error));
        if (access(buffer_text(path), F_OK) != 0 && errno == ENOENT) break;
        TRY(run_add_input(run, hob_model_input_name(run->loaded.model, i), buffer_text(path), error));
    }
    return HOB_OK;
}

static hob_status write_outputs(const struct run *run, const char *folder, struct buffer *path, hob_error *error)
{
    TRY(make_folder(folder, error));
    for (size_t i = 0; i < run->n_outputs; i++) {
        char name[40];
        snprintf(name, sizeof name, "output_%zu", i);
        TRY(join_path(folder, name, ".pb", path, error));
        TRY(hob_tensor_write(run->outputs[i], buffer_text(path), error));
    }
    return HOB_OK;
}

static hob_status run_case(const struct conformance_case *one, size_t n_threads, hob_error *error)
{
    enum { MOST_INPUTS = 4096 };
    struct run run;
    TRY(run_open(&run, one->model_path, n_threads, MOST_INPUTS, error));
    struct buffer path = {0};
    hob_status status = HOB_OK;
    if (hob_model_n_inputs(run.loaded.model) > MOST_INPUTS)
        FAIL_CLEANUP(error, HOB_LIMIT, "%s: found more than %d inputs", one->model_path, MOST_INPUTS);
    TRY_CLEANUP(add_inputs(&run, one->data_path, &path, error));
    TRY_CLEANUP(run_graph(&run, error));
    TRY_CLEANUP(write_outputs(&run, one->output_path, &path, error));

cleanup:
    buffer_release(&path);
    run_release(&run);
    return status;
}

/* What the process of a case sends to the one that prints: status and sentence, less than a pipe takes in one piece. */
struct answer {
    hob_status status;
    char why[sizeof((hob_error *)0)->message];
};

static void answer_fill(struct answer *answer, hob_status status, const char *why)
{
    answer->status = status;
    snprintf(answer->why, sizeof answer->why, "%s", why);
}

/* No more memory than the machine has beyond what the program holds now: a case that asks for more is told so, instead of the
 * system killing whatever it likes. */
static void limit_memory(void)
{
    unsigned long long n_pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    bool is_read = file && fscanf(file, "%llu", &n_pages) == 1;
    if (file) fclose(file);
    if (!is_read) return;
    rlim_t page_bytes = (rlim_t)sysconf(_SC_PAGESIZE), machine_pages = (rlim_t)sysconf(_SC_PHYS_PAGES);
    rlim_t most_bytes = (n_pages + machine_pages) * page_bytes;
    setrlimit(RLIMIT_AS, &(struct rlimit){most_bytes, most_bytes});
}

static void child_main(const struct conformance_case *one, const struct cases_options *options, int answer_fd)
{
    hob_error error = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody would wait for the answer */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    limit_memory();
    struct answer answer = {.status = run_case(one, options->n_threads, &error)};
    answer_fill(&answer, answer.status, error.message);
    bool is_sent = write(answer_fd, &answer, sizeof answer) == (ssize_t)sizeof answer;
    _exit(is_sent ? 0 : 1); /* without exit handlers: the buffers of standard output are the parent's */
}

/* Waits until there is something to read or the other end is closed. false: it took too long. */
static bool wait_for_answer(int answer_fd, double timeout_s)
{
    uint64_t start_ns = clock_now_ns();
    for (;;) {
        double left_ms = timeout_s * 1e3 - (double)(clock_now_ns() - start_ns) * 1e-6;
        struct pollfd waiting = {.fd = answer_fd, .events = POLLIN};
        int n_ready = poll(&waiting, 1, left_ms < 0 ? 0 : left_ms > INT_MAX / 2 ? INT_MAX / 2 : (int)left_ms + 1);
        if (n_ready > 0 || (n_ready < 0 && errno != EINTR)) return true;
        if (left_ms <= 0) return false;
    }
}

/* A child that ends without an answer has crashed or was killed. */
static void collect(pid_t child, int answer_fd, double timeout_s, struct answer *ret_answer)
{
    ssize_t n_read = -1;
    bool is_late = !wait_for_answer(answer_fd, timeout_s);
    if (is_late) kill(child, SIGKILL);
    else do
            n_read = read(answer_fd, ret_answer, sizeof *ret_answer);
        while (n_read < 0 && errno == EINTR);
    int how = 0;
    while (waitpid(child, &how, 0) < 0 && errno == EINTR) continue;
    if (n_read == (ssize_t)sizeof *ret_answer) return;
    char why[80] = "the run ended without an answer";
    if (is_late) snprintf(why, sizeof why, "still running after %g s", timeout_s);
    else if (WIFSIGNALED(how))
        snprintf(why, sizeof why, "crashed by signal %d (%s)", WTERMSIG(how), strsignal(WTERMSIG(how)));
    answer_fill(ret_answer, HOB_INTERNAL, why);
}

static void run_case_apart(const struct conformance_case *one, const struct cases_options *options,
                           struct answer *ret_answer)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        answer_fill(ret_answer, HOB_IO, strerror(errno));
        return;
    }
    pid_t child = fork();
    if (child == 0) child_main(one, options, fds[1]);
    close(fds[1]);
    if (child > 0) collect(child, fds[0], options->timeout_s, ret_answer);
    else answer_fill(ret_answer, HOB_IO, strerror(errno));
    close(fds[0]);
}

static bool print_answer(struct output *output, struct answer *answer)
{
    for (char *c = answer->why; *c; c++)
        if ((unsigned char)*c < 0x20) *c = ' ';
    if (answer->status == HOB_OK) output_printf(output, "ok\n");
    else output_printf(output, "%s\t%s\n", answer->status == HOB_UNSUPPORTED ? "unsupported" : "error", answer->why);
    return output_flush(output);
}

/* Answers one line. false: nobody reads any more. */
static bool answer_line(char *line, const struct cases_options *options, struct output *output)
{
    struct conformance_case one;
    struct answer answer;
    hob_error error;
    if (split(line, &one, &error) == HOB_OK) run_case_apart(&one, options, &answer);
    else answer_fill(&answer, error.code, error.message);
    return print_answer(output, &answer);
}

/* list_bytes: 0 where it is not known, as of a pipe. */
static hob_status answer_all(struct line_reader *reader, off_t list_bytes, const struct cases_options *options,
                             struct output *output, hob_error *error)
{
    double n_done_bytes = 0;
    struct progress progress;
    progress_init(&progress);
    for (bool is_read = true; is_read;) {
        char *line;
        size_t n_bytes;
        hob_status status = line_reader_next(reader, &line, &n_bytes, error);
        if (status != HOB_OK || !line) {
            progress_clear(&progress);
            return status;
        }
        n_done_bytes += (double)n_bytes + 1;
        if (n_bytes > 0) is_read = answer_line(line, options, output);
        if (list_bytes > 0 && !isatty(STDOUT_FILENO))
            progress_show(&progress, "cases", n_done_bytes / (double)list_bytes);
    }
    progress_clear(&progress);
    return HOB_OK;
}

int cases_run(const char *path, const struct cases_options *options, struct output *output)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct line_reader reader = {.fd = STDIN_FILENO, .name = is_stdin ? "standard input" : path};
    if (!is_stdin) reader.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader.fd < 0) {
        report("%s: %s", path, strerror(errno));
        return STATUS_FAILED;
    }
    hob_error error;
    struct stat info;
    off_t list_bytes = fstat(reader.fd, &info) == 0 && S_ISREG(info.st_mode) ? info.st_size : 0;
    hob_status status = answer_all(&reader, list_bytes, options, output, &error);
    line_reader_release(&reader);
    if (!is_stdin) close(reader.fd);
    return status == HOB_OK ? STATUS_DONE : report_error(&error);
}
