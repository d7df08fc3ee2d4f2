#include "engine/quality_report.h"

#include "base/error.h"

#include <jansson.h>
#include <stdlib.h>

enum { SHOWN_DIGITS = 6 };

/* A figure in as many digits as it deserves. */
static json_t *figure(double value)
{
    char text[32];
    snprintf(text, sizeof text, "%.*g", SHOWN_DIGITS, value);
    return json_real(strtod(text, NULL));
}

static json_t *describe_weights(const struct weight_errors *errors)
{
    json_t *weights = json_array();
    for (size_t i = 0; i < errors->n_items; i++) {
        const struct weight_error *item = &errors->items[i];
        json_t *weight = json_object();
        json_object_set_new(weight, "name", json_string(item->name));
        json_object_set_new(weight, "type", json_string(dtype_name(item->dtype)));
        json_object_set_new(weight, "shape", json_pack("[I,I]", (json_int_t)item->n, (json_int_t)item->k));
        json_object_set_new(weight, "relative_error", figure(item->relative));
        json_object_set_new(weight, "largest_error", figure(item->largest));
        json_array_append_new(weights, weight);
    }
    return weights;
}

static json_t *describe_quality(const struct quality *quality)
{
    json_t *text = json_object();
    bool is_decoder = quality->kind == HOB_MODEL_DECODER;
    json_object_set_new(text, is_decoder ? "tokens" : "lines", json_integer((json_int_t)quality->n_items));
    if (is_decoder) {
        json_object_set_new(text, "perplexity", figure(quality->perplexity));
        json_object_set_new(text, "source_perplexity", figure(quality->source_perplexity));
        json_object_set_new(text, "kl_divergence", figure(quality->kl_divergence));
        json_object_set_new(text, "top1_agreement", figure(quality->top1_agreement));
    } else {
        json_object_set_new(text, "cosine_mean", figure(quality->cosine_mean));
        json_object_set_new(text, "cosine_min", figure(quality->cosine_min));
    }
    return text;
}

static int append(const char *bytes, size_t n_bytes, void *text)
{
    return buffer_append(text, bytes, n_bytes) ? 0 : -1;
}

hob_status quality_report_write(const struct weight_errors *errors, const struct quality *quality, struct buffer *text,
                                hob_error *error)
{
    json_t *report = json_object();
    if (quality) json_object_set_new(report, "quality", describe_quality(quality));
    json_object_set_new(report, "weight_errors", describe_weights(errors));
    int code = report ? json_dump_callback(report, append, text, JSON_COMPACT) : -1;
    json_decref(report);
    if (code) FAIL(error, HOB_NO_MEMORY, "quality report: out of memory");
    return HOB_OK;
}
