/* ONNX's own conformance cases (Debian package libonnx-testdata): each is a model, most of one operator or of the function that
 * defines one, with inputs and the outputs that ONNX's reference gave. Every model runs as it is and after all passes.
 *
 * tests/data/onnx_passing.txt lists the cases that pass; it only grows. A listed case that fails fails the test; one that
 * passes without being listed is printed. The cases run in a process of their own: a crash or a hang costs one case.
 *
 *     HOB_NODE_CASES=softmax     only the cases with that in their name; prints why each fails
 *     HOB_NODE_CASES_UPDATE=1    adds what passes to the list
 *     HOB_CASES_DIR=FOLDER       the cases of another folder of the same layout, without list; prints why each fails */
#include "unit.h"

#include "formats/onnx.h"
#include "graph/executor.h"
#include "graph/pass.h"
#include "ops/onnx_cases.h"
#include "providers/providers.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PASSING "tests/data/onnx_passing.txt"
enum { MIN_CASES = 1072, CASE_TIMEOUT_MS = 60 * 1000 };

/* ---- cases that cannot be compared, and why ---- */

enum excuse_kind { EXCUSE_NONE, EXCUSE_RANDOM, EXCUSE_TRAINING, EXCUSE_BAD_DATA };

struct excuse {
    const char *name; /* without the folder */
    enum excuse_kind kind;
    const char *reason;
};

static const char random_numbers[] = "random numbers of another generator: only types and shapes are compared";
static const char training[] = "ai.onnx.preview.training is not for inference";

static const struct excuse excuses[] = {
    {"test_bernoulli", EXCUSE_RANDOM, random_numbers},
    {"test_bernoulli_double", EXCUSE_RANDOM, random_numbers},
    {"test_bernoulli_double_expanded", EXCUSE_RANDOM, random_numbers},
    {"test_bernoulli_expanded", EXCUSE_RANDOM, random_numbers},
    {"test_bernoulli_seed", EXCUSE_RANDOM, random_numbers},
    {"test_bernoulli_seed_expanded", EXCUSE_RANDOM, random_numbers},
    {"test_training_dropout", EXCUSE_RANDOM, random_numbers},
    {"test_training_dropout_default", EXCUSE_RANDOM, random_numbers},
    {"test_training_dropout_default_mask", EXCUSE_RANDOM, random_numbers},
    {"test_training_dropout_mask", EXCUSE_RANDOM, random_numbers},
    {"test_adagrad", EXCUSE_TRAINING, training},
    {"test_adagrad_multiple", EXCUSE_TRAINING, training},
    {"test_adam", EXCUSE_TRAINING, training},
    {"test_adam_multiple", EXCUSE_TRAINING, training},
    {"test_gradient_of_add", EXCUSE_TRAINING, training},
    {"test_gradient_of_add_and_mul", EXCUSE_TRAINING, training},
    {"test_momentum", EXCUSE_TRAINING, training},
    {"test_momentum_multiple", EXCUSE_TRAINING, training},
    {"test_nesterov_momentum", EXCUSE_TRAINING, training},
};

static struct excuse find_excuse(const char *case_name)
{
    const char *slash = strrchr(case_name, '/'), *name = slash ? slash + 1 : case_name;
    for (size_t i = 0; i < sizeof excuses / sizeof *excuses; i++)
        if (!strcmp(excuses[i].name, name)) return excuses[i];
    return (struct excuse){.kind = EXCUSE_NONE};
}

/* ---- running one case ---- */

struct run {
    const char *root, *name;
    bool compares_numbers;
    struct provider provider;
    struct arena arena;
    struct graph *graph;
    struct executor *executor;
    hob_error error;
};

static hob_status bind_inputs(struct run *run, const char *folder)
{
    for (uint32_t i = 0; i < run->graph->n_inputs; i++) {
        struct tensor tensor;
        const struct value *declared = &run->graph->values[run->graph->inputs[i]];
        TRY(case_read(declared, folder, "input", i, &run->arena, &tensor, &run->error));
        executor_bind(run->executor, i, &tensor);
    }
    return HOB_OK;
}

static bool is_as_expected(struct run *run, const struct tensor *found, const struct tensor *expected)
{
    if (run->compares_numbers) return case_is_equal(found, expected, &run->arena);
    return found->dtype == expected->dtype && tensor_same_shape(found, expected);
}

static hob_status check_outputs(struct run *run, const char *folder)
{
    for (uint32_t i = 0; i < run->graph->n_outputs; i++) {
        char found[TENSOR_SHAPE_TEXT_BYTES], wanted[TENSOR_SHAPE_TEXT_BYTES];
        struct tensor expected;
        const struct value *declared = &run->graph->values[run->graph->outputs[i]];
        TRY(case_read(declared, folder, "output", i, &run->arena, &expected, &run->error));
        const struct tensor *y = executor_output(run->executor, i);
        if (!is_as_expected(run, y, &expected))
            FAIL(&run->error, HOB_INTERNAL, "output %u (%s%s, expected %s%s) differs", i, dtype_name(y->dtype),
                 tensor_shape_text(y->rank, y->dims, found), dtype_name(expected.dtype),
                 tensor_shape_text(expected.rank, expected.dims, wanted));
    }
    return HOB_OK;
}

static hob_status run_data_sets(struct run *run)
{
    for (int set = 0;; set++) {
        char folder[CASE_PATH_BYTES];
        struct stat info;
        snprintf(folder, sizeof folder, "%s/%s/test_data_set_%d", run->root, run->name, set);
        if (stat(folder, &info)) {
            if (!set) FAIL(&run->error, HOB_NOT_FOUND, "found no data set");
            return HOB_OK;
        }
        TRY(bind_inputs(run, folder));
        TRY(executor_run(run->executor, NULL, &run->error));
        TRY(check_outputs(run, folder));
    }
}

static hob_status run_model(struct run *run, const char *disabled_passes)
{
    char path[CASE_PATH_BYTES];
    const struct program *program;
    struct pass_options options = {.kernels = run->provider.kernels, .disabled = disabled_passes};
    snprintf(path, sizeof path, "%s/%s/model.onnx", run->root, run->name);
    TRY(onnx_open(path, &run->graph, &run->error));
    TRY(passes_run(run->graph, &options, NULL, &run->error));
    TRY(program_new(run->graph, &program, &run->error));
    TRY(executor_new(program, &run->provider, 1, &run->executor, &run->error));
    return run_data_sets(run);
}

static hob_status run_case(const struct run *what, const char *disabled_passes, hob_error *error)
{
    struct run run = *what;
    arena_init(&run.arena, 1 << 16);
    hob_status status = run_model(&run, disabled_passes);
    executor_free(run.executor);
    graph_free(run.graph);
    arena_release(&run.arena);
    *error = run.error;
    return status;
}

/* ---- a process that runs cases and reports each through a pipe ---- */

/* Shorter than PIPE_BUF: arrives whole or not at all. */
struct report {
    uint32_t index;
    hob_status status;
    char message[sizeof(((hob_error *)0)->message) + 32];
};

struct worker {
    pid_t process;
    int reports; /* the pipe's end to read from */
};

static const char *cases_root;
static struct case_list cases, listed;

static struct report check_case(struct provider *provider, uint32_t index)
{
    struct report report = {.index = index};
    struct run run = {.root = cases_root, .name = cases.names[index], .provider = *provider};
    run.compares_numbers = find_excuse(run.name).kind != EXCUSE_RANDOM;
    hob_error error = {0};
    const char *disabled = "all";
    report.status = run_case(&run, disabled, &error);
    if (report.status == HOB_OK) report.status = run_case(&run, disabled = "", &error);
    snprintf(report.message, sizeof report.message, "passes %s: %s: %s", *disabled ? "off" : "on",
             hob_status_name(report.status), error.message);
    return report;
}

static bool is_run(uint32_t index)
{
    enum excuse_kind kind = find_excuse(cases.names[index]).kind;
    return kind == EXCUSE_NONE || kind == EXCUSE_RANDOM;
}

static _Noreturn void work(uint32_t first, int reports)
{
    static const int crashes[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}; /* cmocka's handlers would hide them */
    for (size_t i = 0; i < sizeof crashes / sizeof *crashes; i++) signal(crashes[i], SIG_DFL);
    struct provider provider = {.def = provider_find("cpu")};
    if (provider.def->open(&(struct provider_options){.n_threads = 2}, &provider, NULL) != HOB_OK) _exit(2);
    for (uint32_t i = first; i < cases.n_names; i++) {
        if (!is_run(i)) continue;
        struct report report = check_case(&provider, i);
        if (write(reports, &report, sizeof report) != sizeof report) _exit(3);
    }
    provider.def->release(&provider);
    exit(0); /* not _exit: the leak checker speaks now */
}

static struct worker start_worker(uint32_t first)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t process = fork();
    assert_true(process >= 0);
    if (!process) {
        close(ends[0]);
        work(first, ends[1]);
    }
    close(ends[1]);
    return (struct worker){process, ends[0]};
}

/* How the process ended. */
static int stop_worker(struct worker *worker, bool kills)
{
    int status = 0;
    if (kills) kill(worker->process, SIGKILL);
    while (waitpid(worker->process, &status, 0) < 0) assert_int_equal(errno, EINTR);
    close(worker->reports);
    return status;
}

/* The report on case `index`; when the process ends or hangs before it comes, what that tells, and a new process goes on. */
static struct report next_report(struct worker *worker, uint32_t index)
{
    struct report report = {.index = index, .status = HOB_INTERNAL};
    struct pollfd waiting = {.fd = worker->reports, .events = POLLIN};
    bool is_late = poll(&waiting, 1, CASE_TIMEOUT_MS) == 0;
    if (!is_late && read(worker->reports, &report, sizeof report) == sizeof report) return report;
    int status = stop_worker(worker, is_late);
    if (is_late) snprintf(report.message, sizeof report.message, "still running after %d s", CASE_TIMEOUT_MS / 1000);
    else if (WIFSIGNALED(status))
        snprintf(report.message, sizeof report.message, "crashed: %s", strsignal(WTERMSIG(status)));
    else snprintf(report.message, sizeof report.message, "ended the process with status %d", WEXITSTATUS(status));
    *worker = start_worker(index + 1);
    return report;
}

/* ---- the list ---- */

static void add_to_list(const struct case_list *passing)
{
    FILE *file = fopen(PASSING, "w");
    assert_non_null(file);
    for (size_t i = 0; i < passing->n_names; i++) case_list_add(&listed, passing->names[i]);
    case_list_sort(&listed);
    for (size_t i = 0; i < listed.n_names; i++) fprintf(file, "%s\n", listed.names[i]);
    assert_int_equal(fclose(file), 0);
}

static void keep_wanted(struct case_list *list, const char *wanted)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < list->n_names; i++)
        if (strstr(list->names[i], wanted)) memmove(list->names[n_kept++], list->names[i], CASE_NAME_BYTES);
    list->n_names = n_kept;
}

/* ---- the tests ---- */

struct tally {
    struct case_list passing;
    size_t n_failed, n_skipped, n_unsupported, n_lost;
};

static void count_report(struct tally *tally, const struct report *report, bool has_list, bool tells)
{
    const char *name = cases.names[report->index];
    struct excuse excuse = find_excuse(name);
    bool is_listed = has_list && case_list_has(&listed, name), is_ok = report->status == HOB_OK;
    if (is_ok && excuse.kind == EXCUSE_RANDOM) {
        tally->n_skipped++;
    } else if (is_ok) {
        case_list_add(&tally->passing, name);
        if (has_list && !is_listed) print_message("%s passes and is not listed\n", name);
    } else {
        tally->n_failed++;
        tally->n_unsupported += report->status == HOB_UNSUPPORTED;
        tally->n_lost += is_listed;
        if (is_listed || tells) print_error("%s: %s\n", name, report->message);
    }
}

static void run_all(struct tally *tally, bool has_list, bool tells)
{
    struct worker worker = start_worker(0);
    for (uint32_t i = 0; i < cases.n_names; i++) {
        struct excuse excuse = find_excuse(cases.names[i]);
        if (is_run(i)) {
            struct report report = next_report(&worker, i);
            count_report(tally, &report, has_list, tells);
        } else {
            tally->n_skipped++;
            if (tells) print_message("%s: skipped: %s\n", cases.names[i], excuse.reason);
        }
    }
    assert_int_equal(stop_worker(&worker, false), 0);
    print_message(
        "ONNX cases: %zu passed, %zu failed, %zu skipped (%zu failed by an operator or type that is not implemented)\n",
        tally->passing.n_names, tally->n_failed, tally->n_skipped, tally->n_unsupported);
}

static void run_other_folder(const char *folder, const char *wanted)
{
    static struct tally tally;
    cases_root = folder;
    case_list_find(&cases, folder, "");
    case_list_sort(&cases);
    if (wanted) keep_wanted(&cases, wanted);
    run_all(&tally, false, true);
    assert_int_equal(tally.n_failed, 0);
}

static void test_cases(void **state)
{
    static struct tally tally;
    const char *wanted = getenv("HOB_NODE_CASES"), *other = getenv("HOB_CASES_DIR");
    struct stat info;
    (void)state;
    if (other) {
        run_other_folder(other, wanted);
        return;
    }
    if (stat(ONNX_CASES_ROOT, &info)) skip();
    cases_root = ONNX_CASES_ROOT;
    static const char *const folders[] = {"node", "simple", "pytorch-operator", "pytorch-converted"};
    for (int i = 0; i < 4; i++) case_list_find(&cases, ONNX_CASES_ROOT, folders[i]);
    case_list_sort(&cases);
    if (cases.n_names < MIN_CASES) fail_msg("found %zu cases, expected at least %d", cases.n_names, MIN_CASES);
    if (wanted) keep_wanted(&cases, wanted);
    case_list_read(&listed, PASSING);
    run_all(&tally, true, wanted != NULL);
    if (getenv("HOB_NODE_CASES_UPDATE")) add_to_list(&tally.passing);
    assert_int_equal(tally.n_lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
