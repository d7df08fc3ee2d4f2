/* The table of architectures. */
#include "models/model.h"

#define MODEL(name) extern const struct model_def model_##name;
#include "models/models.def"
#undef MODEL

static const struct model_def *const models[] = {
#define MODEL(name) &model_##name,
#include "models/models.def"
#undef MODEL
};

size_t model_def_count(void)
{
    return sizeof models / sizeof models[0];
}

const struct model_def *model_def_at(size_t index)
{
    return models[index];
}
