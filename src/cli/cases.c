#include "cli/cases.h"

#include "base/error.h"
#include "cli/input.h"
#include "cli/paths.h"
#include "cli/report.h"
#include "cli/run_graph.h"

#include <errno.h>
#include <fcntl.h>
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

static void child_main(const struct conformance_case *one, size_t n_threads, int answer_fd)
{
    hob_error error = {0};
    struct answer answer = {.status = run_case(one, n_threads, &error)};
    answer_fill(&answer, answer.status, error.message);
    bool is_sent = write(answer_fd, &answer, sizeof answer) == (ssize_t)sizeof answer;
    _exit(is_sent ? 0 : 1); /* without exit handlers: the buffers of standard output are the parent's */
}

/* A child that ends without an answer has crashed or was killed. */
static void collect(pid_t child, int answer_fd, struct answer *ret_answer)
{
    ssize_t n_read;
    do n_read = read(answer_fd, ret_answer, sizeof *ret_answer);
    while (n_read < 0 && errno == EINTR);
    int how = 0;
    while (waitpid(child, &how, 0) < 0 && errno == EINTR) continue;
    if (n_read == (ssize_t)sizeof *ret_answer) return;
    char why[80] = "the run ended without an answer";
    if (WIFSIGNALED(how)) snprintf(why, sizeof why, "the run crashed: %s", strsignal(WTERMSIG(how)));
    answer_fill(ret_answer, HOB_INTERNAL, why);
}

static void run_case_apart(const struct conformance_case *one, size_t n_threads, struct answer *ret_answer)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        answer_fill(ret_answer, HOB_IO, strerror(errno));
        return;
    }
    pid_t child = fork();
    if (child == 0) child_main(one, n_threads, fds[1]);
    close(fds[1]);
    if (child > 0) collect(child, fds[0], ret_answer);
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
static bool answer_line(char *line, size_t n_threads, struct output *output)
{
    struct conformance_case one;
    struct answer answer;
    hob_error error;
    if (split(line, &one, &error) == HOB_OK) run_case_apart(&one, n_threads, &answer);
    else answer_fill(&answer, error.code, error.message);
    return print_answer(output, &answer);
}

static hob_status answer_all(struct line_reader *reader, size_t n_threads, struct output *output, hob_error *error)
{
    for (;;) {
        char *line;
        size_t n_bytes;
        TRY(line_reader_next(reader, &line, &n_bytes, error));
        if (!line) return HOB_OK;
        if (n_bytes > 0 && !answer_line(line, n_threads, output)) return HOB_OK;
    }
}

int cases_run(const char *path, size_t n_threads, struct output *output)
{
    bool is_stdin = strcmp(path, "-") == 0;
    struct line_reader reader = {.fd = STDIN_FILENO, .name = is_stdin ? "standard input" : path};
    if (!is_stdin) reader.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader.fd < 0) {
        report("%s: %s", path, strerror(errno));
        return STATUS_FAILED;
    }
    hob_error error;
    hob_status status = answer_all(&reader, n_threads, output, &error);
    line_reader_release(&reader);
    if (!is_stdin) close(reader.fd);
    return status == HOB_OK ? STATUS_DONE : report_error(&error);
}
