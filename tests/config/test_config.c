/* The configuration: layers and origins, every kind of value, every message with its place. */
#include "config/config_case.h"

#include "config/address.h"
#include "config/options.h"
#include "config/write.h"

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

/* ---- layers ---- */

static void assert_origin(const struct config_case *c, size_t option, enum config_source source, const char *name,
                          int line, int column)
{
    const struct config_origin *origin = &c->config->origins[option];
    assert_int_equal(origin->source, source);
    assert_string_equal(source == CONFIG_FROM_FILE ? case_below(c, origin->name) : origin->name, name);
    assert_int_equal(origin->line, line);
    assert_int_equal(origin->column, column);
}

static void test_layers(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    case_write(&c, "/etc/hob/config.toml",
               "beam_width = 2\nthreads = 2\n[server]\nmax_connections = 2\nmax_body_bytes = 2048\n");
    case_write_user(&c, "threads = 3\n[server]\nmax_connections = 3\nmax_body_bytes = 3072\n");
    case_set(&c, "HOB_MAX_CONNECTIONS", "4");
    case_set(&c, "HOB_MAX_BODY_BYTES", "4KiB");
    case_set(&c, "HOB_MAX_QUEUE", "");
    const struct config_flag flags[] = {{.key = "server.max_body_bytes", .text = "5KiB", .shown = "--max-body"},
                                        {.key = "socket_path", .text = "x.sock"}};
    assert_int_equal(case_load_with(&c, NULL, flags, 2), HOB_OK);
    assert_int_equal(c.config->beam_width, 2);
    assert_int_equal(c.config->threads, 3);
    assert_int_equal(c.config->max_connections, 4);
    assert_int_equal(c.config->max_body_bytes, 5120);
    assert_string_equal(c.config->socket_path, "x.sock");
    assert_origin(&c, CONFIG_beam_width, CONFIG_FROM_FILE, "/etc/hob/config.toml", 1, 14);
    assert_origin(&c, CONFIG_threads, CONFIG_FROM_FILE, "/home/.config/hob/config.toml", 1, 11);
    assert_origin(&c, CONFIG_max_connections, CONFIG_FROM_ENVIRONMENT, "HOB_MAX_CONNECTIONS", 0, 0);
    assert_origin(&c, CONFIG_max_body_bytes, CONFIG_FROM_FLAG, "--max-body", 0, 0);
    assert_origin(&c, CONFIG_socket_path, CONFIG_FROM_FLAG, "socket_path", 0, 0);
    assert_int_equal(c.config->origins[CONFIG_max_queue].source, CONFIG_FROM_DEFAULT);
    assert_int_equal(c.config->files.n_items, 2);
    case_end(&c);
}

static void test_system_folders(void **state)
{
    struct config_case c;
    struct config_files files;
    (void)state;
    case_begin(&c);
    char folders[256];
    snprintf(folders, sizeof folders, "%s/first::relative:%s/second", c.folder, c.folder);
    free(c.environment[1]);
    assert_true(asprintf(&c.environment[1], "XDG_CONFIG_DIRS=%s", folders) > 0);
    case_write(&c, "/first/hob/config.toml", "beam_width = 1\n");
    case_write(&c, "/second/hob/config.toml", "beam_width = 2\nthreads = 2\n");
    assert_int_equal(case_load(&c), HOB_OK);
    assert_int_equal(c.config->beam_width, 1); /* the first folder is the most important */
    assert_int_equal(c.config->threads, 2);
    const struct config_sources sources = {.environment = (const char *const *)c.environment};
    assert_int_equal(config_files_list(&sources, &files, NULL), HOB_OK);
    assert_int_equal(files.n_items, 3);
    assert_string_equal(case_below(&c, files.items[0].path), "/second/hob/config.toml");
    assert_string_equal(case_below(&c, files.items[2].path), "/home/.config/hob/config.toml");
    assert_true(files.items[1].is_there && !files.items[2].is_there);
    config_files_release(&files);
    case_end(&c);
}

static void test_named_file(void **state)
{
    struct config_case c;
    char path[128];
    (void)state;
    case_begin(&c);
    case_write_user(&c, "beam_width = 2\n");
    case_write(&c, "/other.toml", "threads = 7\n");
    snprintf(path, sizeof path, "%s/other.toml", c.folder);
    assert_int_equal(case_load_with(&c, path, NULL, 0), HOB_OK);
    assert_int_equal(c.config->threads, 7);
    assert_int_equal(c.config->beam_width, 3);
    case_set_path(&c, "HOB_CONFIG", "/missing.toml");
    assert_int_equal(case_load(&c), HOB_NOT_FOUND);
    assert_null(c.config);
    assert_string_equal(buffer_text(&c.told), "fault: DIR/missing.toml: No such file or directory\n");
    assert_int_equal(case_load_with(&c, c.folder, NULL, 0), HOB_IO);
    assert_string_equal(buffer_text(&c.told), "fault: DIR: Is a directory\n");
    assert_int_equal(case_load_with(&c, "/dev/null", NULL, 0), HOB_OK);
    case_end(&c);
}

/* ---- values ---- */

static void test_units(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    case_write_user(
        &c, "[memory]\nmax_bytes = \"1.5GiB\"\nkeep_alive_s = \"1h30m\"\nprefix_cache_bytes = \"2 kB\"\n"
            "prefix_cache_folder_bytes = 1_000\n"
            "[server]\nread_timeout_s = 0.25\nwrite_timeout_s = \"500ms\"\nidle_exit_s = 7\nstop_timeout_s = \"1d\"\n");
    assert_int_equal(case_load(&c), HOB_OK);
    assert_int_equal(c.config->memory_max_bytes, 3ULL << 29);
    assert_int_equal(c.config->prefix_cache_bytes, 2000);
    assert_int_equal(c.config->prefix_cache_folder_bytes, 1000);
    assert_true(c.config->keep_alive_s == 5400 && c.config->read_timeout_s == 0.25 && c.config->write_timeout_s == 0.5);
    assert_true(c.config->idle_exit_s == 7 && c.config->stop_timeout_s == 86400);
    case_end(&c);
}

static void test_paths(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    case_set(&c, "HOB_EMBED_MODEL", "embed.gguf");
    case_write_user(&c, "model_path = \"m/gpt2.onnx\"\nrerank_model_path = \"~/r.gguf\"\nsocket_path = \"@abstract\"\n"
                        "models_folder = \"$XDG_CACHE_HOME/m\"\n[memory]\nprefix_cache_folder = "
                        "\"default\"\n[server]\napi_key_file = \"\"\n"
                        "[models.a]\npath = \"/a\"\nchat_template = \"chatml\"\n[models.b]\npath = "
                        "\"$HOME\"\nchat_template = \"./b.jinja\"\n");
    assert_int_equal(case_load(&c), HOB_OK);
    assert_string_equal(case_below(&c, c.config->model_path), "/home/.config/hob/m/gpt2.onnx");
    assert_string_equal(case_below(&c, c.config->rerank_model_path), "/home/r.gguf");
    assert_string_equal(case_below(&c, c.config->models_folder), "/home/.cache/m");
    assert_string_equal(case_below(&c, c.config->prefix_cache_folder), "/home/.cache/hob/kv");
    assert_string_equal(c.config->embed_model_path, "embed.gguf");
    assert_string_equal(c.config->socket_path, "@abstract");
    assert_null(c.config->api_key_file);
    assert_string_equal(c.config->models[0].chat_template, "chatml");
    assert_string_equal(case_below(&c, c.config->models[1].chat_template), "/home/.config/hob/./b.jinja");
    assert_string_equal(case_below(&c, c.config->models[1].path), "/home");
    case_end(&c);
}

static void test_no_home(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    free(c.environment[0]);
    assert_true(asprintf(&c.environment[0], "HOME=") > 0);
    assert_int_equal(case_load(&c), HOB_OK);
    assert_null(c.config->socket_path);
    case_write(&c, "/etc/hob/config.toml", "model_path = \"~/x\"\n");
    assert_int_equal(case_load(&c), HOB_BAD_FILE);
    assert_string_equal(buffer_text(&c.told),
                        "fault: DIR/etc/hob/config.toml:1:14: model_path: found \"~/x\", expected a string whose "
                        "folder is known: HOME is not set\n");
    case_end(&c);
}

static void test_texts_of_the_environment(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    case_set(&c, "HOB_HOST", " 127.0.0.1:0 ,fd:3,, ");
    case_set(&c, "HOB_NO_NETWORK", "yes");
    case_set(&c, "HOB_QUANTIZATION", "q4_0");
    case_set(&c, "HOB_LOG_LEVEL", "debug");
    case_set(&c, "HOB_CACHE_TYPE", "q8_0");
    case_set(&c, "HOB_KEEP_ALIVE", "2m");
    assert_int_equal(case_load(&c), HOB_OK);
    assert_int_equal(c.config->listen.n_items, 2);
    assert_string_equal(c.config->listen.items[0], "127.0.0.1:0");
    assert_string_equal(c.config->listen.items[1], "fd:3");
    assert_true(c.config->no_network && c.config->keep_alive_s == 120);
    assert_string_equal(config_quant(c.config->quantization, true), "q4_0");
    assert_string_equal(c.config->cache_type, "q8_0");
    assert_int_equal(c.config->log_level, CONFIG_LOG_DEBUG);
    case_end(&c);
}

/* ---- models and backends ---- */

static void test_models(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    case_write(&c, "/etc/hob/config.toml",
               "[models.chat]\npath = \"/dev/null\"\npinned = true\n[models.\"a:b\"]\npath = \"/dev/null\"\n");
    case_write_user(&c, "context_window = 512\nquantization = true\n[memory]\ncache_type = \"f16\"\n"
                        "[models.chat]\naliases = [\"gpt-4o\", \"llama\"]\nkind = \"decoder\"\nquantization = "
                        "false\ncontext_window = 64\n");
    const struct config_flag flag = {.key = "models.v1.2.path", .text = "/dev/null"};
    assert_int_equal(case_load_with(&c, NULL, &flag, 1), HOB_OK);
    assert_int_equal(c.config->n_models, 3);
    const struct config_model *chat = config_find_model(c.config, "llama"), *other = config_find_model(c.config, "a:b");
    assert_ptr_equal(chat, config_find_model(c.config, "chat"));
    assert_true(chat->pinned && chat->kind == CONFIG_MODEL_DECODER && chat->context_window == 64 &&
                !chat->quantization);
    assert_string_equal(chat->cache_type, "f16");
    assert_true(!other->pinned && other->kind == CONFIG_MODEL_ANY && other->context_window == 512);
    assert_string_equal(config_quant(other->quantization, false), "q8_0");
    assert_int_equal(other->origins[CONFIG_MODEL_context_window].line, 1);
    assert_non_null(config_find_model(c.config, "v1.2"));
    assert_null(config_find_model(c.config, "gpt"));
    case_end(&c);
}

static void test_backends(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    case_write_user(
        &c, "[server]\nno_network = true\n[backends.far]\nurl = \"https://example.org/v1\"\napi = \"anthropic\"\n"
            "for = [\"chat\"]\ntimeout_s = \"2m\"\n");
    assert_int_equal(case_load(&c), HOB_OK);
    const struct config_backend *far = &c.config->backends[0];
    assert_string_equal(far->name, "far");
    assert_true(far->api == CONFIG_API_ANTHROPIC && far->timeout_s == 120 && far->for_models.n_items == 1);
    assert_string_equal(case_below(&c, far->log_file), "/home/.local/state/hob/backends.log");
    assert_string_equal(buffer_text(&c.told),
                        "note: DIR/home/.config/hob/config.toml:2:14: server.no_network: is true, so no backend will "
                        "be asked\n");
    case_end(&c);
}

/* ---- faults ---- */

#define USER "DIR/home/.config/hob/config.toml"

/* Each: a file, and all that is told of it. */
static const struct {
    const char *file, *told;
} bad_files[] = {
    {"model_path = 3", "fault: " USER ":1:14: model_path: found 3, expected a string\n"},
    {"model_path = \"a\\u0000b\"", "fault: " USER ":1:14: model_path: found \"a\", expected a string without a NUL\n"},
    {"\"model_path\\u0000\" = \"a\"",
     "fault: " USER ":1:1: model_path: found an unknown key; did you mean model_path?\n"},
    {"threads = -1", "fault: " USER ":1:11: threads: found -1, expected a whole number from 0 to 256\n"},
    {"threads = 257", "fault: " USER ":1:11: threads: found 257, expected a whole number from 0 to 256\n"},
    {"threads = \"2\"", "fault: " USER ":1:11: threads: found \"2\", expected a whole number from 0 to 256\n"},
    {"threads = 2.0", "fault: " USER ":1:11: threads: found 2, expected a whole number from 0 to 256\n"},
    {"beam_width = 0", "fault: " USER ":1:14: beam_width: found 0, expected a whole number from 1 to 64\n"},
    {"quantization = 8",
     "fault: " USER ":1:16: quantization: found 8, expected true, false or one of \"q8_0\", \"q5_1\", \"q5_0\", "
     "\"q4_1\", \"q4_0\", \"f16\", \"bf16\", \"int8\"\n"},
    {"quantization = \"q8\"",
     "fault: " USER ":1:16: quantization: found \"q8\", expected true, false or one of \"q8_0\", \"q5_1\", "
     "\"q5_0\", \"q4_1\", \"q4_0\", \"f16\", \"bf16\", \"int8\"; did you mean \"q8_0\"?\n"},
    {"[server]\nno_network = 1", "fault: " USER ":2:14: server.no_network: found 1, expected true or false\n"},
    {"[server]\nmax_body_bytes = \"12XB\"",
     "fault: " USER ":2:18: server.max_body_bytes: found \"12XB\", expected a size from 1KiB to 2GiB, "
     "as 4096 or \"512MiB\"\n"},
    {"[server]\nmax_body_bytes = true",
     "fault: " USER ":2:18: server.max_body_bytes: found true, expected a size from 1KiB to 2GiB, as "
     "4096 or \"512MiB\"\n"},
    {"[server]\nmax_body_bytes = \"99999999999999999999\"",
     "fault: " USER ":2:18: server.max_body_bytes: found \"99999999999999999999\", "
     "expected a size from 1KiB to 2GiB, as 4096 or \"512MiB\"\n"},
    {"[server]\nread_timeout_s = nan",
     "fault: " USER ":2:18: server.read_timeout_s: found nan, expected a time from 0 to 1073741824 "
     "seconds, as 90 or \"5m\"\n"},
    {"[server]\nread_timeout_s = \"5 parsecs\"",
     "fault: " USER ":2:18: server.read_timeout_s: found \"5 parsecs\", expected a time from 0 to "
     "1073741824 seconds, as 90 or \"5m\"\n"},
    {"[server]\nlisten = \"x\"", "fault: " USER ":2:10: server.listen: found \"x\", expected an array of strings\n"},
    {"[server]\nlisten = [\n  \"x\",\n  [1]]",
     "fault: " USER ":4:3: server.listen: found an array, expected an array of strings\n"},
    {"[server]\nlisten = [\"localhost\"]",
     "fault: " USER ":2:10: server.listen: found \"localhost\", expected unix:///path, a path, @name, "
     "host:port, tcp://host:port or fd:N\n"},
    {"[server]\nlisten = [\"\"]",
     "fault: " USER ":2:11: server.listen: found \"\", expected a text that is not empty\n"},
    {"[log]\nlevel = \"warn\"",
     "fault: " USER ":2:9: log.level: found \"warn\", expected one of \"error\", \"warning\", \"info\", \"debug\"; "
     "did you mean \"warning\"?\n"},
    {"[memory]\ncache_type = 2024-01-01",
     "fault: " USER ":2:14: memory.cache_type: found a date or time, expected one of \"f32\", \"f16\", "
     "\"q8_0\", \"q4_0\"\n"},
    {"beam_widht = 5", "fault: " USER ":1:1: beam_widht: found an unknown key; did you mean beam_width?\n"},
    {"max_queue = 5", "fault: " USER ":1:1: max_queue: found an unknown key; it belongs below [scheduler]\n"},
    {"[log]\nthreads = 5",
     "fault: " USER ":2:1: log.threads: found an unknown key; it belongs to the top of the file, before any "
     "[section]\n"},
    {"[servr]\nx = 1", "fault: " USER ":1:2: servr: found an unknown section; did you mean server?\n"},
    {"zzzzzzzzzz = 1", "fault: " USER ":1:1: zzzzzzzzzz: found an unknown key\n"},
    {"server = 1", "fault: " USER ":1:10: server: found an integer, expected a table\n"},
    {"models = []", "fault: " USER ":1:10: models: found an array, expected a table\n"},
    {"models.x = 1", "fault: " USER ":1:12: x: found an integer, expected a table\n"},
    {"[[server]]\nlisten = []", "fault: " USER ":1:3: server: found an array, expected a table\n"},
    {"[models.x]", "fault: " USER ":1:9: models.x: found no path, expected the model's file or folder\n"},
    {"[models.x]\npath = 1", "fault: " USER ":2:8: models.x.path: found 1, expected a string\n"},
    {"[models.x]\npath = \"/dev/null\"\npined = true",
     "fault: " USER ":3:1: models.pined: found an unknown key; did you mean pinned?\n"},
    {"[models.\"\"]\npath = \"/dev/null\"",
     "fault: " USER ":1:9: models: found a name of 0 bytes, expected 1 to 128 without control "
     "characters\n"},
    {"[models.x]\npath = \"/dev/null\"\n[models.y]\npath = \"/dev/null\"\naliases = [\"z\", \"x\"]",
     "fault: " USER ":5:11: models.y: found the name \"x\", which models.x goes by\n"},
    {"[backends.b]", "fault: " USER ":1:11: backends.b: found no url, expected where its API begins\n"
                     "fault: " USER ":1:11: backends.b: found no \"for\", expected the models that it stands in for\n"},
    {"[backends.b]\nurl = \"example.org\"\nfor = [\"x\"]",
     "fault: " USER ":2:7: backends.b.url: found \"example.org\", expected https:// or "
     "http:// in front\n"},
    {"x = [1,\ny = 2", "fault: " USER ":2:1: found \"y\", expected a string in quotes, a 64-bit integer, a number, "
                       "true, false, a date or a time\n"},
    {"threads = \nbeam_width = 0\n[server\nlisten = 3\n[log]\nlevel = 3 4\ntexts = 0",
     "fault: " USER ":1:11: found the end of the line, expected a value\n"
     "fault: " USER ":3:8: found the end of the line in a header, expected ]\n"
     "fault: " USER ":6:11: found '4', expected the end of the line\n"
     "fault: " USER ":2:14: beam_width: found 0, expected a whole number from 1 to 64\n"
     "fault: " USER ":6:9: log.level: found 3, expected one of \"error\", \"warning\", \"info\", \"debug\"\n"
     "fault: " USER ":7:9: log.texts: found 0, expected true or false\n"},
    {"threads = 1\nthreads = 2\nbeam_width = 0",
     "fault: " USER ":2:1: found threads again, after line 1\n"
     "fault: " USER ":3:14: beam_width: found 0, expected a whole number from 1 to 64\n"},
    {"threads = 1 # \xFF", "fault: " USER ":1:15: found byte 0xFF, expected UTF-8\n"},
};

static void test_bad_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_files / sizeof bad_files[0]; i++) {
        struct config_case c;
        case_begin(&c);
        case_write_user(&c, bad_files[i].file);
        assert_int_equal(case_load(&c), HOB_BAD_FILE);
        assert_null(c.config);
        assert_string_equal(buffer_text(&c.told), bad_files[i].told);
        assert_non_null(strstr(c.error.message, "/home/.config/hob/config.toml:"));
        case_end(&c);
    }
}

static void test_bad_texts(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    case_set(&c, "HOB_THREADS", "many");
    case_set(&c, "HOB_NO_NETWORK", "maybe");
    case_set(&c, "HOB_LOG_LEVEL", "inof");
    const struct config_flag flags[] = {{.key = "server.max_conections", .text = "1", .shown = "--set"},
                                        {.key = "beam_width", .text = "1.5", .shown = "--beam-width"},
                                        {.key = "scheduler.max_queue", .text = " 1"},
                                        {.key = "models.path", .text = "x"},
                                        {.key = "server.x.listen", .text = "x"},
                                        {.key = "models..path", .text = "/dev/null"}};
    assert_int_equal(case_load_with(&c, NULL, flags, 6), HOB_BAD_ARGUMENT);
    assert_string_equal(c.error.message, "HOB_THREADS: found 'many', expected a whole number from 0 to 256");
    assert_string_equal(
        buffer_text(&c.told),
        "fault: HOB_THREADS: found 'many', expected a whole number from 0 to 256\n"
        "fault: HOB_NO_NETWORK: found 'maybe', expected true or false\n"
        "fault: HOB_LOG_LEVEL: found 'inof', expected one of \"error\", \"warning\", \"info\", \"debug\"; did you mean "
        "\"info\"?\n"
        "fault: --set: found an unknown key server.max_conections; did you mean max_connections?\n"
        "fault: --beam-width: found '1.5', expected a whole number from 1 to 64\n"
        "fault: scheduler.max_queue: found ' 1', expected a whole number from 0 to 1048576\n"
        "fault: models.path: found an unknown key\n"
        "fault: server.x.listen: found an unknown key; did you mean listen?\n"
        "fault: models..path: models: found a name of 0 bytes, expected 1 to 128 without control characters\n");
    case_end(&c);
}

static void test_long_socket_path(void **state)
{
    struct config_case c;
    char text[256] = "socket_path = \"/";
    (void)state;
    case_begin(&c);
    memset(text + strlen(text), 'x', 107);
    strcat(text, "\"\n");
    case_write_user(&c, text);
    assert_int_equal(case_load(&c), HOB_BAD_FILE);
    assert_string_equal(buffer_text(&c.told),
                        "fault: " USER ":1:15: socket_path: found a path of 108 bytes, expected at most 107, which the "
                        "system takes\n");
    case_end(&c);
}

static void test_too_many_models(void **state)
{
    struct config_case c;
    struct buffer text = {0};
    (void)state;
    case_begin(&c);
    for (int i = 0; i < 1100; i++) buffer_printf(&text, "[models.m%d]\npath = \"/dev/null\"\n", i);
    case_write_user(&c, buffer_text(&text));
    assert_int_equal(case_load(&c), HOB_LIMIT);
    assert_string_equal(buffer_text(&c.told), "fault: " USER ":2049:9: found more than 1024 models and backends\n");
    buffer_release(&text);
    case_end(&c);
}

static void test_notes(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    case_set(&c, "OLLAMA_HOST", "0.0.0.0");
    case_set(&c, "OLLAMA_ORIGINS", "*");
    case_set(&c, "HOB_MAX_QUEU", "3");
    case_set(&c, "HOB_KERNELS", "generic");
    case_write_user(&c, "model_path = \"/no/such/model.gguf\"\n");
    assert_int_equal(case_load(&c), HOB_OK);
    assert_string_equal(buffer_text(&c.told), "note: OLLAMA_HOST: not read; ours is HOB_HOST\n"
                                              "note: OLLAMA_ORIGINS: not read; ours is HOB_ORIGINS\n"
                                              "note: HOB_MAX_QUEU: not read; did you mean HOB_MAX_QUEUE?\n"
                                              "note: " USER ":1:14: model_path: /no/such/model.gguf cannot be read\n");
    case_end(&c);
}

static void test_addresses(void **state)
{
    static const char *const unixes[] = {"unix:///run/x", "/x", "@x", "x.sock", "a:1/b.sock"};
    static const char *const tcps[] = {"tcp://127.0.0.1:0", "localhost:8080", "[::1]:65535", "tcp://[fe80::1]:1",
                                       "0.0.0.0:80"};
    static const char *const bads[] = {
        "",        "unix://x", "unix:///", "/",     "@",           "fd:",     "fd:x",  "127.0.0.1", ":80",
        "x:65536", "x:",       "::1:80",   "[::1]", "http://x:80", "tcp://x", "x:80/", "x:-1"};
    (void)state;
    for (size_t i = 0; i < sizeof unixes / sizeof unixes[0]; i++)
        assert_int_equal(address_kind(unixes[i]), ADDRESS_UNIX);
    for (size_t i = 0; i < sizeof tcps / sizeof tcps[0]; i++) {
        assert_int_equal(address_kind(tcps[i]), ADDRESS_TCP);
        assert_int_equal(address_is_loopback(tcps[i]), i < 3);
    }
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) assert_int_equal(address_kind(bads[i]), ADDRESS_BAD);
    assert_int_equal(address_kind("fd:3"), ADDRESS_FD);
}

static void test_open_address_is_noted(void **state)
{
    struct config_case c;
    (void)state;
    case_begin(&c);
    case_write_user(&c, "[server]\nlisten = [\"0.0.0.0:80\", \"127.0.0.1:80\"]\n");
    assert_int_equal(case_load(&c), HOB_OK);
    assert_string_equal(buffer_text(&c.told),
                        "note: " USER ":2:10: server.listen: 0.0.0.0:80 can be reached from other machines, and there "
                        "is no api_key_file\n");
    case_end(&c);
}

/* ---- writing ---- */

static void test_written_reads_back(void **state)
{
    struct config_case c;
    struct buffer first = {0}, second = {0};
    (void)state;
    case_begin(&c);
    case_write_user(
        &c,
        "model_path = \"/a \\\"b\\\"\\t\\u0001ä\"\nquantization = \"q4_0\"\n[server]\nlisten = [\"a.sock\", \"/b,c\"]\n"
        "read_timeout_s = 0.1\n[memory]\nmax_bytes = 1023\n[models.\"x y\"]\npath = \"/dev/null\"\nkind = \"encoder\"\n"
        "[backends.b]\nurl = \"http://x\"\nfor = [\"x y\"]\n");
    assert_int_equal(case_load(&c), HOB_OK);
    config_to_toml(c.config, &first);
    assert_non_null(strstr(buffer_text(&first), "\n[models.\"x y\"]\npath = \"/dev/null\"  # /tmp/hob-config-"));
    case_write_user(&c, buffer_text(&first));
    assert_int_equal(case_load(&c), HOB_OK);
    assert_string_equal(c.config->model_path, "/a \"b\"\t\001ä");
    config_to_toml(c.config, &second);
    /* The same but for where values came from. */
    const char *a = buffer_text(&first), *b = buffer_text(&second);
    while (*a && *b) {
        size_t n_a = strcspn(a, "\n"), n_b = strcspn(b, "\n");
        const char *mark_a = memmem(a, n_a, "  # ", 4), *mark_b = memmem(b, n_b, "  # ", 4);
        assert_int_equal(mark_a ? mark_a - a : (ptrdiff_t)n_a, mark_b ? mark_b - b : (ptrdiff_t)n_b);
        assert_memory_equal(a, b, (size_t)(mark_a ? mark_a - a : (ptrdiff_t)n_a));
        a += n_a + 1;
        b += n_b + 1;
    }
    assert_true(!*a && !*b);
    buffer_release(&first);
    buffer_release(&second);
    case_end(&c);
}

static void test_bytes_that_are_no_text(void **state)
{
    struct config_case c;
    struct buffer text = {0};
    (void)state;
    case_begin(&c);
    case_set(&c, "HOB_MODEL", "/x\xFF\n");
    assert_int_equal(case_load(&c), HOB_OK);
    config_to_toml(c.config, &text);
    assert_non_null(strstr(buffer_text(&text), "model_path = \"/x\xEF\xBF\xBD\\n\"  # environment HOB_MODEL\n"));
    buffer_release(&text);
    case_end(&c);
}

/* Names of fields, keys and variables: each once. */
static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CONFIG_OPTIONS; i++) {
        const struct config_option *option = &config_options[i];
        assert_int_equal(strncmp(option->environment, "HOB_", 4), 0);
        assert_int_equal(config_option_find(config_options, N_CONFIG_OPTIONS, option->section, option->key), i);
        for (size_t k = 0; k < i; k++) assert_string_not_equal(option->environment, config_options[k].environment);
    }
    for (size_t i = 0; i < n_config_foreign; i++) {
        size_t n_found = 0;
        for (size_t k = 0; k < N_CONFIG_OPTIONS; k++)
            n_found += !strcmp(config_options[k].environment, config_foreign[i].ours);
        assert_int_equal(n_found, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_runtime_folder),
        cmocka_unit_test(test_seed_file),
        cmocka_unit_test(test_layers),
        cmocka_unit_test(test_system_folders),
        cmocka_unit_test(test_named_file),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_paths),
        cmocka_unit_test(test_no_home),
        cmocka_unit_test(test_texts_of_the_environment),
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_backends),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_bad_texts),
        cmocka_unit_test(test_long_socket_path),
        cmocka_unit_test(test_too_many_models),
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_open_address_is_noted),
        cmocka_unit_test(test_written_reads_back),
        cmocka_unit_test(test_bytes_that_are_no_text),
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
