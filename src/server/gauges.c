#include "server/gauges.h"

#include "base/clock.h"
#include "hob/hob.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

static void set(struct server *server, enum metric metric, const char *kind, double value)
{
    metrics_set(server->metrics, metric, (struct labels){.kind = kind}, value);
}

static double resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long long n_pages = 0, n_resident = 0;
    if (!file) return 0;
    if (fscanf(file, "%llu %llu", &n_pages, &n_resident) != 2) n_resident = 0;
    fclose(file);
    return (double)n_resident * (double)sysconf(_SC_PAGESIZE);
}

static double open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    size_t n_entries = 0;
    if (!folder) return 0;
    while (readdir(folder)) n_entries++;
    closedir(folder);
    return n_entries > 3 ? (double)(n_entries - 3) : 0; /* ".", ".." and the folder's own */
}

static void refresh_scheduler(struct server *server)
{
    static const char *const priorities[N_PRIORITIES] = {
        [PRIORITY_COMPLETION] = "completion", [PRIORITY_CHAT] = "chat", [PRIORITY_BATCH] = "batch"};
    struct scheduler_status status = {0};
    scheduler_get_status(server->scheduler, &status);
    for (size_t i = 0; i < N_PRIORITIES; i++) set(server, METRIC_queue_depth, priorities[i], (double)status.n_queued[i]);
    set(server, METRIC_running, NULL, (double)status.n_running);
    set(server, METRIC_result_cache, "hit", (double)status.n_cache_hits);
    set(server, METRIC_result_cache, "miss", (double)status.n_cache_misses);
    set(server, METRIC_result_cache_entries, NULL, (double)status.n_cache_entries);
    set(server, METRIC_result_cache_bytes, NULL, (double)status.n_cache_bytes);
}

static void refresh_models(struct server *server)
{
    struct model_list *list = model_registry_list(server->registry);
    metrics_forget(server->metrics, METRIC_model_loaded); /* of models that are not there any more */
    metrics_forget(server->metrics, METRIC_model_resident);
    for (size_t i = 0; list && i < list->n_models; i++) {
        const struct model_status *model = &list->models[i];
        bool is_loaded = model->state == MODEL_READY;
        metrics_set(server->metrics, METRIC_model_loaded, (struct labels){.model = model->name}, is_loaded);
        metrics_set(server->metrics, METRIC_model_resident, (struct labels){.model = model->name, .kind = "own"},
                    is_loaded ? (double)model->memory_bytes : 0);
        metrics_set(server->metrics, METRIC_model_resident, (struct labels){.model = model->name, .kind = "mapped"},
                    is_loaded ? (double)model->mapped_bytes : 0);
        metrics_set(server->metrics, METRIC_model_loads, (struct labels){.model = model->name, .kind = "loaded"}, (double)model->n_loads);
        metrics_set(server->metrics, METRIC_model_loads, (struct labels){.model = model->name, .kind = "failed"}, (double)model->n_failures);
        metrics_set(server->metrics, METRIC_model_loads, (struct labels){.model = model->name, .kind = "evicted"}, (double)model->n_evictions);
    }
    model_list_free(list);
}

void gauges_refresh(struct server *server, struct connection_counts connections)
{
    set(server, METRIC_build_info, hob_version(), 1);
    set(server, METRIC_connections, "http", (double)connections.n_http);
    set(server, METRIC_connections, "line", (double)connections.n_line);
    set(server, METRIC_connections, "idle", (double)connections.n_idle);
    refresh_scheduler(server);
    refresh_models(server);
    set(server, METRIC_process_start, NULL, (double)server->started_s);
    set(server, METRIC_process_cpu, NULL, (double)clock_cpu_ns() * 1e-9);
    set(server, METRIC_process_resident, NULL, resident_bytes());
    set(server, METRIC_process_fds, NULL, open_descriptors());
}
