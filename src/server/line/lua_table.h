/* A Lua table as vim.inspect prints it: strings and numbers of its own fields, whatever else is in it passed over. Nothing is run. */
#ifndef SERVER_LINE_LUA_TABLE_H
#define SERVER_LINE_LUA_TABLE_H

#include "server/line/line_request.h"

/* Told each field of the outermost table whose value is a string or a number. text is NUL-terminated. false: stop, memory is out. */
typedef struct lua_field {
    const char *name;
    bool is_text;
    const struct buffer *text;
    double number;
} lua_field;
typedef bool lua_on_field(void *context, const struct lua_field *field);

/* bytes begin with '{'. LINE_PARTIAL: the table does not end in them. ret_n_used: its bytes. */
enum line_result lua_table_read(const char *bytes, size_t n_bytes, lua_on_field *on_field, void *context, size_t *ret_n_used);

#endif
