/* Conversations: messages in, by the model's own template a prompt out, and a reply's tool calls and reasoning told from its text.
 *
 * A conversation belongs to one thread at a time. A template comes from the model's file; it runs with bounds on time and memory.
 * What stands in messages and tools is text and nothing else: "<|im_end|>" in a person's words is ten characters, whatever filters the
 * template sends it through; only the template's own words become special tokens.
 *
 *     hob_chat *chat;
 *     if (hob_chat_new(&chat, &error) != HOB_OK || hob_chat_add(chat, "user", "Hello", &error) != HOB_OK) …
 *     if (hob_chat_encode(chat, model, NULL, &ids, &n_ids, &error) != HOB_OK) …
 *     hob_generate(session, ids, n_ids, …, on_generated, …);     which pushes to a hob_reply
 *     hob_chat_add_json(chat, hob_reply_message(reply), …);
 *     hob_chat_free(chat);
 */
#ifndef HOB_CHAT_H
#define HOB_CHAT_H

#include "hob/generate.h"
#include "hob/grammar.h"
#include "hob/model.h"

typedef struct hob_chat hob_chat;

/* Whether the reply calls tools: OpenAI's tool_choice. */
typedef enum hob_tool_choice {
    HOB_TOOL_CHOICE_AUTO,     /* as the model likes */
    HOB_TOOL_CHOICE_NONE,     /* the template is shown none, and no calls are looked for */
    HOB_TOOL_CHOICE_REQUIRED, /* one or more: hob_chat_new_grammar's grammar sees to it */
    HOB_TOOL_CHOICE_NAMED,    /* only the one that tool_name says: likewise */
} hob_tool_choice;

typedef struct hob_chat_options {
    const char *template_text; /* Jinja; NULL: template_name's, else the model's own */
    const char *template_name; /* one that comes with hob: hob_chat_template_name */
    const char *variables;     /* a JSON object of more names for the template ({"enable_thinking": false}); NULL: none */
    bool omits_generation_prompt; /* nothing behind the last message: for training and scoring */
    bool continues_final_message; /* the reply goes on with the last message, which is the assistant's */
    int64_t now;               /* seconds since 1970, for templates that say the date; 0: the clock's */
    bool reads_special_tokens; /* those that messages and tools spell become tokens: for trusted texts only */
    hob_tool_choice tool_choice;
    const char *tool_name;       /* for HOB_TOOL_CHOICE_NAMED */
    bool has_one_call;           /* at most one: OpenAI's parallel_tool_calls = false. Without a grammar those behind the first are dropped */
    const char *response_schema; /* a JSON Schema that the answer holds to, by hob_chat_new_grammar; "": any JSON object or array; NULL: free */
} hob_chat_options;

HOB_API HOB_MUST_CHECK hob_status hob_chat_new(hob_chat **ret_chat, hob_error *error);
HOB_API void hob_chat_free(hob_chat *chat); /* takes NULL */

/* role: "system", "user", "assistant", "tool" or whatever the template knows. content is UTF-8. */
HOB_API HOB_MUST_CHECK hob_status hob_chat_add(hob_chat *chat, const char *role, const char *content, hob_error *error);
/* A message object as OpenAI writes them (role, content as text or parts, tool_calls, tool_call_id, name, reasoning_content), or a list of
 * them. Arguments of tool calls may be objects or texts that hold one. Parts of text (type "text", "input_text", "output_text") become one
 * text, with line ends between them. Fails: HOB_BAD_ARGUMENT, HOB_UNSUPPORTED (a part that is no text; the message names its type);
 * nothing is added then. */
HOB_API HOB_MUST_CHECK hob_status hob_chat_add_json(hob_chat *chat, const char *json, size_t n_bytes, hob_error *error);
/* The functions that the model may call: a JSON list as OpenAI writes them; NULL: none. */
HOB_API HOB_MUST_CHECK hob_status hob_chat_set_tools(hob_chat *chat, const char *json, hob_error *error);
/* The system message at the beginning; NULL takes it away. */
HOB_API HOB_MUST_CHECK hob_status hob_chat_set_system(hob_chat *chat, const char *content, hob_error *error);
/* Forgets all but the first n_messages. */
HOB_API void hob_chat_truncate(hob_chat *chat, size_t n_messages);
HOB_API size_t hob_chat_n_messages(const hob_chat *chat);
/* Of the chat, until it changes; NULL outside, and for a content that is no text. */
HOB_API const char *hob_chat_role(const hob_chat *chat, size_t index);
HOB_API const char *hob_chat_content(const hob_chat *chat, size_t index);
/* All messages as a JSON list; free with hob_free. */
HOB_API HOB_MUST_CHECK hob_status hob_chat_to_json(const hob_chat *chat, char **ret_json, hob_error *error);

/* The prompt as text; free with hob_free. options NULL: defaults. ret_n_bytes may be NULL.
 * Fails: HOB_NOT_FOUND (the model has no template), HOB_BAD_FILE (a broken one), HOB_BAD_ARGUMENT (the template refuses the messages, with
 * its own words), HOB_UNSUPPORTED, HOB_LIMIT. */
HOB_API HOB_MUST_CHECK hob_status hob_chat_render(const hob_chat *chat, const hob_model *model, const hob_chat_options *options,
                                                  char **ret_text, size_t *ret_n_bytes, hob_error *error);
/* The prompt as ids: the template's special tokens, everything else as hob_tokenizer_encode makes it of the whole prompt, with the token
 * that begins a text once where the model wants it. */
HOB_API HOB_MUST_CHECK hob_status hob_chat_encode(const hob_chat *chat, const hob_model *model, const hob_chat_options *options,
                                                  int32_t **ret_ids, size_t *ret_n_ids, hob_error *error);

/* Templates that come with hob, for models that have none; NULL outside. */
HOB_API const char *hob_chat_template_name(size_t index);
/* The one that stands in for a model without a template; NULL: it has its own. Good for options.template_name either way. It is the one
 * whose marks the vocabulary has ("chatml", "llama3", "gemma", "phi3", "mistral"), "llama2" for a Llama with a SentencePiece vocabulary,
 * else "roles", which needs no special tokens: "user: …", a line end, "assistant:". A model that was never taught turns goes on to speak
 * for the user then: the stop text "\nuser:" ends that. */
HOB_API const char *hob_chat_template_default(const hob_model *model);

/* What the reply is held to, for hob_generate_options.grammar: by tool_choice (required, named) to 1 to 16 calls (named: one) in the format that the
 * template speaks of, each with arguments that hold for its tool's "parameters"; by response_schema to a document; with both and a free choice of
 * tools, to either. Reasoning may come first where the template knows it, and comes first where the prompt ends inside it. Of a template
 * that speaks of no format, calls are {"name": …, "arguments": …}, several in a list; hob_reply reads those with the same options.
 * *ret_grammar is NULL where nothing holds the reply. Marks that are special tokens of the model are those tokens: the grammar is for this
 * model. Schemas may come from strangers: time and memory are bounded (docs/grammars.md).
 * Fails: HOB_BAD_ARGUMENT (no such tool, no tools), HOB_BAD_FILE and HOB_UNSUPPORTED (a schema; the message names the tool), HOB_LIMIT,
 * whatever hob_chat_render says. */
HOB_API HOB_MUST_CHECK hob_status hob_chat_new_grammar(const hob_chat *chat, const hob_model *model, const hob_chat_options *options,
                                                       hob_grammar **ret_grammar, hob_error *error);

/* ---- what a model answers ---- */

/* A reply while it comes. */
typedef struct hob_reply hob_reply;

/* What a piece of it made final. Texts are NUL-terminated, valid until the next call, and may hold NUL bytes: the sizes count. */
typedef struct hob_reply_delta {
    const char *content;
    const char *reasoning;  /* between <think> and </think> */
    size_t n_tool_calls;    /* whole ones so far: hob_reply_tool_call has them */
    size_t n_content_bytes, n_reasoning_bytes;
} hob_reply_delta;

/* Which formats are looked for is told from the template, so chat and options are those of the prompt. */
HOB_API HOB_MUST_CHECK hob_status hob_reply_new(const hob_chat *chat, const hob_model *model, const hob_chat_options *options,
                                                hob_reply **ret_reply, hob_error *error);
HOB_API void hob_reply_free(hob_reply *reply); /* takes NULL */
/* One token as hob_generate gives it. */
HOB_API HOB_MUST_CHECK hob_status hob_reply_push(hob_reply *reply, const hob_generated *generated, hob_reply_delta *ret_delta,
                                                 hob_error *error);
/* The same from text alone. */
HOB_API HOB_MUST_CHECK hob_status hob_reply_push_text(hob_reply *reply, const char *text, size_t n_bytes, hob_reply_delta *ret_delta,
                                                      hob_error *error);
/* The rest: what looked like the beginning of a call and is none is content. */
HOB_API HOB_MUST_CHECK hob_status hob_reply_finish(hob_reply *reply, hob_reply_delta *ret_delta, hob_error *error);
/* A call as soon as it is whole: {"id", "type": "function", "function": {"name", "arguments"}}, arguments a text that holds JSON. An id that
 * the model did not give is nine letters and digits, which every API takes, made of the call and its index. NULL outside; valid until
 * hob_reply_free. */
HOB_API const char *hob_reply_tool_call(const hob_reply *reply, size_t index);
/* The whole message as JSON, after hob_reply_finish: {"role": "assistant", "content", "reasoning_content"?, "tool_calls"?}; arguments are
 * a text that holds JSON, as OpenAI has it. Owned by the reply. NULL before. */
HOB_API const char *hob_reply_message(const hob_reply *reply);

#endif
