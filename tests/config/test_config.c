/* The configuration: layers and origins, every kind of value, every message with its place. */
#include "config/config_case.h"

#include "config/options.h"

static void test_defaults(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    assert_int_equal(case_load(&c), HOB_OK);
    assert_string_equal(buffer_text(&c.told), "");
    assert_null(c.config->model_path);
    assert_null(c.config->quantization);
    assert_string_equal(case_below(&c, c.config->socket_path), "/home/.local/state/hob/run/hob/hob.sock");
    assert_string_equal(case_below(&c, c.config->models_folder), "/home/.local/share/hob/models");
    assert_int_equal(c.config->max_body_bytes, 16 << 20);
    assert_true(c.config->keep_alive_s == 1800 && c.config->results_ttl_s == 3600 && c.config->results_idle_s == 1800);
    assert_int_equal(c.config->log_level, CONFIG_LOG_INFO);
    assert_int_equal(c.config->listen.n_items, 0);
    for (size_t i = 0; i < N_CONFIG_OPTIONS; i++) assert_int_equal(c.config->origins[i].source, CONFIG_FROM_DEFAULT);
    case_end(&c);
}

static void test_runtime_folder(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    case_set_path(&c, "XDG_RUNTIME_DIR", "/run");
    case_set(&c, "XDG_DATA_HOME", "not/absolute");
    assert_int_equal(case_load(&c), HOB_OK);
    assert_string_equal(case_below(&c, c.config->socket_path), "/run/hob/hob.sock");
    assert_string_equal(case_below(&c, c.config->models_folder), "/home/.local/share/hob/models");
    case_end(&c);
}

static void test_seed_file(void **state)
{
    struct config_case c;
    (void)state;
    if (access("../shared/seed-config.toml", R_OK) != 0) skip();
    case_begin(&c);
    assert_int_equal(case_load_with(&c, "../shared/seed-config.toml", NULL, 0), HOB_OK);
    assert_string_equal(c.config->model_path, "/home/user/.models/gpt2.onnx");
    assert_int_equal(c.config->context_window, 128);
    assert_int_equal(c.config->beam_width, 5);
    assert_string_equal(config_quant(c.config->quantization, false), "q8_0");
    assert_string_equal(config_quant(c.config->quantization, true), "int8");
    assert_string_equal(c.config->socket_path, "/tmp/ai_autocorrect.sock");
    case_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_runtime_folder),
        cmocka_unit_test(test_seed_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
