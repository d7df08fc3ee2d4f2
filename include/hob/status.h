/* Status codes and the error a caller may hand in to learn more.
 *
 * Every fallible function of libhob returns a hob_status and takes a hob_error last; NULL is allowed there.
 * On failure no ret_ output is touched and the error holds a sentence that says what, where, found and expected.
 * A hob_error is plain caller's memory: nothing to free. Thread-safe: one error per thread.
 *
 *     hob_error error;
 *     if (hob_model_open(path, NULL, &model, &error) != HOB_OK)
 *         fprintf(stderr, "%s\n", error.message);
 */
#ifndef HOB_STATUS_H
#define HOB_STATUS_H

#if defined(HOB_BUILDING) && defined(__GNUC__)
#define HOB_API __attribute__((visibility("default")))
#else
#define HOB_API
#endif
#define HOB_MUST_CHECK __attribute__((warn_unused_result))

/* X(code, name, sentence) */
#define HOB_STATUS_MAP(X)                                                                                  \
    X(OK, "ok", "done")                                                                                    \
    X(BAD_ARGUMENT, "bad argument", "a parameter is outside what the function takes")                     \
    X(BAD_FILE, "bad file", "the file is damaged or not of the format it claims")                         \
    X(BAD_SHAPE, "bad shape", "tensor shapes do not fit the operator or the model")                       \
    X(BAD_TYPE, "bad type", "a tensor has a type that the operator or the model does not take")           \
    X(BAD_GRAPH, "bad graph", "the graph has a cycle, a missing value or a wrong attribute")              \
    X(UNSUPPORTED, "unsupported", "the operator, format version or feature is not implemented")           \
    X(NOT_FOUND, "not found", "no file, tensor, input or key of that name")                               \
    X(NO_MEMORY, "out of memory", "the machine gave no more memory")                                      \
    X(IO, "input/output error", "the operating system refused a read, write or map")                      \
    X(LIMIT, "limit exceeded", "a size, count or context length is above its cap")                        \
    X(CANCELLED, "cancelled", "the caller asked to stop")                                                 \
    X(UNKNOWN, "not known yet", "a value is needed that is only known when the graph runs")               \
    X(INTERNAL, "internal error", "a bug in hob: please report it")

typedef enum hob_status {
#define X(code, name, sentence) HOB_##code,
    HOB_STATUS_MAP(X)
#undef X
} hob_status;

typedef struct hob_error {
    hob_status code;
    char message[480]; /* one sentence, NUL-terminated: what, where, found, expected */
    char where[64];    /* source file:line that noticed, for bug reports */
} hob_error;

/* Static string, never NULL: "bad file", … */
HOB_API const char *hob_status_name(hob_status status);
/* Static string, never NULL: one sentence for a person. */
HOB_API const char *hob_status_sentence(hob_status status);

#endif
