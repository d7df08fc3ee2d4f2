#include "ops/activation.h"

#include "base/size.h"

#include <math.h>
#include <string.h>

/* Names are those of the ONNX operators, Silu excepted; defaults are the operators'. */
static const struct {
    const char *name;
    float alpha, beta;
} known[] = {
    [FINISH_NONE] = {"", 0, 0},
    [FINISH_RELU] = {"Relu", 0, 0},
    [FINISH_LEAKY_RELU] = {"LeakyRelu", 0.01f, 0},
    [FINISH_CLIP] = {"Clip", -INFINITY, INFINITY},
    [FINISH_SIGMOID] = {"Sigmoid", 0, 0},
    [FINISH_HARD_SIGMOID] = {"HardSigmoid", 0.2f, 0.5f},
    [FINISH_HARD_SWISH] = {"HardSwish", 1.0f / 6, 0.5f},
    [FINISH_SILU] = {"Silu", 0, 0},
    [FINISH_TANH] = {"Tanh", 0, 0},
    [FINISH_GELU] = {"Gelu", 0, 0},
};

const char *activation_name(enum finish_activation kind)
{
    return known[kind].name;
}

hob_status activation_parse(const struct op_prepare *node, struct activation *ret_activation)
{
    size_t n_numbers;
    const char *name = attributes_string(node->attributes, "activation", "");
    const float *numbers = attributes_floats(node->attributes, "activation_params", &n_numbers);
    if (!strcmp(name, "Identity")) name = "";
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        if (strcmp(name, known[i].name)) continue;
        *ret_activation = (struct activation){.kind = (enum finish_activation)i,
                                              .alpha = n_numbers > 0 ? numbers[0] : known[i].alpha,
                                              .beta = n_numbers > 1 ? numbers[1] : known[i].beta};
        return HOB_OK;
    }
    FAIL(node->error, HOB_BAD_GRAPH,
         "%s: activation: found \"%s\", expected Identity, Relu, LeakyRelu, Clip, Sigmoid, HardSigmoid, HardSwish, "
         "Silu, Tanh or Gelu",
         node->node_name, name);
}
