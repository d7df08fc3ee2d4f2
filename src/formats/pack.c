/* Packs among the formats: the graph that opening one gives is compiled already, and owns the pack. */
#include "base/error.h"
#include "formats/formats.h"
#include "formats/pack_graph.h"

static bool is_this(const char *path, bool is_folder, const unsigned char *bytes, size_t n_bytes)
{
    (void)path;
    return !is_folder && pack_is_pack(bytes, n_bytes);
}

static void release_pack(void *pack)
{
    pack_free(pack);
}

static hob_status open(const char *path, struct format_content *ret_content, hob_error *error)
{
    struct pack *pack = NULL;
    struct graph *graph = NULL;
    TRY(pack_open(path, &pack, error));
    hob_status status = pack_graph_read(pack, &graph, error);
    if (status == HOB_OK) status = graph_own(graph, pack, release_pack, error);
    if (status != HOB_OK) {
        graph_free(graph);
        pack_free(pack);
        return error_prefix(error, status, "%s", path);
    }
    ret_content->graph = graph;
    ret_content->pack = pack;
    return HOB_OK;
}

const struct format_def format_pack = {
    .name = "pack", .summary = "a compiled model made by hob import", .is_this = is_this, .open = open};
