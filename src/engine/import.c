/* A model is opened as for any use, and what opening made of it is written down. */
#include "hob/import.h"
#include "base/error.h"
#include "engine/pack_model.h"
#include "engine/quality_report.h"
#include "engine/source_digest.h"

#include <sys/stat.h>

static hob_status check_paths(const char *source, const char *path, hob_error *error)
{
    struct stat from, to;
    if (!source || !path) FAIL(error, HOB_BAD_ARGUMENT, "hob_import: source and path must be given");
    if (stat(source, &from) == 0 && stat(path, &to) == 0 && from.st_dev == to.st_dev && from.st_ino == to.st_ino)
        FAIL(error, HOB_BAD_ARGUMENT, "%s: the pack would replace its own source, expected another name", path);
    return HOB_OK;
}

/* Before the model is opened: its own refusal of a pack would name the options. */
static hob_status check_source(const char *source, hob_error *error)
{
    struct pack *pack;
    if (pack_open(source, &pack, NULL) != HOB_OK) return HOB_OK;
    pack_free(pack);
    FAIL(error, HOB_BAD_ARGUMENT, "%s: found a pack, expected a model to make one of", source);
}

static void release_content(struct pack_content *content)
{
    for (int id = 0; id < PACK_N_SECTIONS; id++) buffer_release(&content->sections[id]);
}

/* Sections are what the report goes to. */
static hob_status add_report(struct hob_model *model, const char *source, const hob_import_options *options, struct buffer *section,
                             hob_error *error)
{
    struct quality quality;
    struct quality_options how = {.text = options->text, .n_text_bytes = options->n_text_bytes, .max_items = options->n_text_items,
                                  .n_threads = options->model.n_threads, .progress = options->model.progress,
                                  .progress_context = options->model.progress_context};
    if (!options->is_reported) return HOB_OK;
    if (!options->text) return quality_report_write(model->weight_errors, NULL, section, error);
    hob_model_options plain = options->model;
    hob_model *original;
    plain.quant = NULL;
    TRY(hob_model_open(source, &plain, &original, error));
    hob_status status = quality_measure(original, model, &how, &quality, error);
    hob_model_free(original);
    if (status != HOB_OK) return status;
    return quality_report_write(model->weight_errors, &quality, section, error);
}

static hob_status write_model(struct hob_model *model, const char *source, const hob_import_options *options, const char *path,
                              hob_error *error)
{
    struct pack_weights weights;
    struct pack_content content = {.progress = options->model.progress, .progress_context = options->model.progress_context};
    struct pack_origin origin = {.format = model->info.format, .quant = options->model.quant};
    hob_status status = HOB_OK;
    pack_weights_init(&weights);
    content.weights = &weights;
    TRY_CLEANUP(source_digest(source, model->folder, model->graph->files, model->graph->n_files, content.source_sha256,
                              &origin.n_bytes, error));
    TRY_CLEANUP(pack_model_write(model, &origin, &content, error));
    TRY_CLEANUP(add_report(model, source, options, &content.sections[PACK_REPORT], error));
    status = pack_graph_write(model->graph, &weights, &content.sections[PACK_GRAPH], error);
    if (status != HOB_OK) {
        error_prefix(error, status, "%s", source);
        goto cleanup;
    }
    TRY_CLEANUP(pack_write(path, &content, error));
cleanup:
    pack_weights_release(&weights);
    release_content(&content);
    return status;
}

hob_status hob_import(const char *source, const hob_import_options *options, const char *path, hob_error *error)
{
    const hob_import_options defaults = {0};
    if (!options) options = &defaults;
    struct weight_errors errors = {0};
    struct hob_model *model = NULL;
    TRY(check_paths(source, path, error));
    TRY(check_source(source, error));
    hob_status status = model_open_weighing(source, &options->model, options->is_reported ? &errors : NULL, &model, error);
    if (status == HOB_OK) status = write_model(model, source, options, path, error);
    hob_model_free(model);
    weight_errors_release(&errors);
    return status;
}
