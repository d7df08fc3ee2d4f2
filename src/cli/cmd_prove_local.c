/* hob prove-local: what keeps the person's texts on this machine, not promised but shown. Of the daemon that runs, what the kernel says about
 * its process; of the filter that --no-network puts on, what it refuses when every way out is tried, here and now, in a child. */
#include "cli/command.h"
#include "cli/daemon_client.h"
#include "cli/json.h"
#include "cli/local_proof.h"
#include "cli/report.h"

struct settings {
    struct daemon_choice daemon;
    bool is_json;
};

static const struct option_def options[] = {
    OPTION_DAEMON_SOCKET(struct settings),
    OPTION_DAEMON_CONFIG(struct settings),
    OPTION_JSON(struct settings, "one JSON object"),
};

/* One line of the proof. What is not required says how things are, and fails nothing. */
struct claim {
    char text[160], detail[200];
    bool holds, is_required;
};

enum { MOST_CLAIMS = 32 };

struct claims {
    struct claim items[MOST_CLAIMS];
    size_t n_items;
};

static void claim(struct claims *claims, bool holds, bool is_required, const char *text, const char *detail)
{
    if (claims->n_items == MOST_CLAIMS) return;
    struct claim *item = &claims->items[claims->n_items++];
    *item = (struct claim){.holds = holds, .is_required = is_required};
    snprintf(item->text, sizeof item->text, "%s", text);
    snprintf(item->detail, sizeof item->detail, "%s", detail);
}

/* ---- the filter ---- */

static void prove_filter(struct claims *claims)
{
    struct no_network_probe probes[NO_NETWORK_MOST_PROBES];
    char detail[200];
    bool is_enforced;
    size_t n_probes = local_proof_try(probes, &is_enforced), n_refused = 0;
    for (size_t i = 0; i < n_probes; i++) n_refused += probes[i].is_refused;
    snprintf(detail, sizeof detail, "%zu of %zu ways to a network refused", n_refused, n_probes);
    for (size_t i = 0; i < n_probes; i++)
        if (!probes[i].is_refused)
            snprintf(detail, sizeof detail, "%s: %s", probes[i].what,
                     probes[i].error ? strerror(probes[i].error) : "went through");
    claim(claims, is_enforced, true, "the filter of --no-network works on this kernel", detail);
}

/* ---- the daemon ---- */

static void prove_sockets(struct claims *claims, const struct local_proof *proof, bool is_network_off)
{
    char detail[200];
    size_t n_shown =
        proof->n_network_sockets < LOCAL_PROOF_MOST_SOCKETS ? proof->n_network_sockets : LOCAL_PROOF_MOST_SOCKETS;
    snprintf(detail, sizeof detail, "%zu UNIX, %zu of a network%s%s", proof->n_unix_sockets, proof->n_network_sockets,
             n_shown ? ", the first: " : "", n_shown ? proof->sockets[0] : "");
    if (is_network_off) claim(claims, proof->n_network_sockets == 0, true, "it has no socket but UNIX ones", detail);
    else claim(claims, proof->n_foreign_sockets == 0, true, "none of its sockets leads beyond this machine", detail);
}

/* reply: what GET /hob/status said. */
static void prove_daemon(struct claims *claims, const json_t *reply)
{
    char detail[200];
    struct local_proof proof;
    bool is_network_off = json_is_true(json_object_get(reply, "network_off"));
    local_proof_make((pid_t)json_integer_value(json_object_get(reply, "pid")), &proof);
    snprintf(detail, sizeof detail, "process %d", (int)proof.pid);
    claim(claims, proof.is_readable, true, "the daemon's process can be looked into", detail);
    if (!proof.is_readable) return;
    claim(claims, is_network_off, false, "it was started with --no-network",
          is_network_off ? "as it says itself" : "its filter is off: it could open sockets");
    claim(claims, proof.has_seccomp, is_network_off, "the kernel filters its system calls",
          "Seccomp in /proc/PID/status");
    claim(claims, proof.has_no_new_privileges, is_network_off, "it cannot gain privileges",
          "NoNewPrivs in /proc/PID/status");
    claim(claims, proof.has_own_namespace, false, "its network is a namespace of its own",
          proof.has_own_namespace ? "another than this command's" : "systemd's unit has one (PrivateNetwork)");
    prove_sockets(claims, &proof, is_network_off);
    claim(claims, !proof.has_curl, is_network_off, "libcurl is not loaded",
          proof.has_curl ? "a remote backend is configured" : "no code that speaks to servers");
}

/* ---- telling ---- */

static bool all_hold(const struct claims *claims)
{
    for (size_t i = 0; i < claims->n_items; i++)
        if (claims->items[i].is_required && !claims->items[i].holds) return false;
    return true;
}

static void print(const struct claims *claims, struct output *output)
{
    for (size_t i = 0; i < claims->n_items; i++) {
        const struct claim *item = &claims->items[i];
        output_printf(output, "%-4s %s (%s)\n",
                      item->holds         ? "yes"
                      : item->is_required ? "NO"
                                          : "no",
                      item->text, item->detail);
    }
}

static json_t *claims_json(const struct claims *claims, bool has_daemon)
{
    json_t *list = json_array();
    for (size_t i = 0; i < claims->n_items; i++) {
        const struct claim *item = &claims->items[i];
        json_array_append_new(list, json_pack("{s:s,s:b,s:b,s:o}", "claim", item->text, "holds", (int)item->holds,
                                              "required", (int)item->is_required, "detail",
                                              json_text(item->detail, strlen(item->detail))));
    }
    return json_pack("{s:b,s:b,s:o}", "proven", (int)all_hold(claims), "daemon", (int)has_daemon, "claims", list);
}

static int run(const struct command_line *line)
{
    const struct settings *settings = line->settings;
    if (line->n_words) return report_usage(line->command, "unexpected '%s'", line->words[0]);
    struct claims claims = {.n_items = 0};
    hob_error error;
    json_t *reply = NULL;
    hob_status status = daemon_ask_chosen(&settings->daemon, "GET", "/hob/status", &reply, &error);
    if (status != HOB_OK && status != HOB_NOT_FOUND) return report_error(&error);
    prove_filter(&claims);
    if (status == HOB_OK) prove_daemon(&claims, reply);
    else if (!settings->is_json) report("%s", error.message);
    json_decref(reply);
    int told = STATUS_DONE;
    if (settings->is_json) told = json_print(claims_json(&claims, status == HOB_OK), line->output);
    else print(&claims, line->output);
    return told == STATUS_DONE && !all_hold(&claims) ? STATUS_FAILED : told;
}

const struct command_def command_prove_local = {
    .name = "prove-local",
    .synopsis = "[--socket PATH] [--json]",
    .summary = "Show what keeps your texts on this machine",
    .details = "Of the daemon that runs, what the kernel says about its process: its sockets, the filter on its system "
               "calls, what it has loaded.\n"
               "Of the filter that 'hob serve --no-network' puts on, what it refuses when every way out is tried in a "
               "child process.\n"
               "Exits 1 where something does not hold that must.\n",
    .options = options,
    .n_options = sizeof options / sizeof options[0],
    .settings_bytes = sizeof(struct settings),
    .run = run,
};
