#include "cli/option_value.h"

#include "cli/report.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>

/* Decimal digits only: strtoull alone would take "-1" and " 7" too. */
bool parse_unsigned(const char *text, uint64_t most, uint64_t *ret_value)
{
    if (!isdigit((unsigned char)text[0])) return false;
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || value > most) return false;
    *ret_value = value;
    return true;
}

static bool parse_number(const char *text, double least, double most, float *ret_value)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    if (end == text || *end || isspace((unsigned char)text[0]) || errno == ERANGE) return false;
    if (!(value >= least && value <= most)) return false;
    *ret_value = (float)value;
    return true;
}

static int set_unsigned(const struct command_def *command, const struct option_def *option, uint64_t most,
                        const char *text, uint64_t *ret_value)
{
    if (parse_unsigned(text, most, ret_value)) return STATUS_DONE;
    return report_usage(command, "--%s: found '%s', expected a whole number, 0 or above", option->name, text);
}

static int set_number(const struct command_def *command, const struct option_def *option, const char *text,
                      float *ret_value)
{
    if (parse_number(text, option->least, option->most, ret_value)) return STATUS_DONE;
    return report_usage(command, "--%s: found '%s', expected a number from %g to %g", option->name, text, option->least,
                        option->most);
}

static int set_choice(const struct command_def *command, const struct option_def *option, const char *text,
                      int *ret_index)
{
    char expected[200] = "";
    for (int i = 0; option->choices[i]; i++) {
        if (strcmp(text, option->choices[i]) == 0) {
            *ret_index = i;
            return STATUS_DONE;
        }
        size_t n_used = strlen(expected);
        snprintf(expected + n_used, sizeof expected - n_used, "%s%s", i ? ", " : "", option->choices[i]);
    }
    return report_usage(command, "--%s: found '%s', expected one of %s", option->name, text, expected);
}

int option_value_set(const struct command_def *command, const struct option_def *option, const char *text,
                     void *settings)
{
    void *field = (char *)settings + option->offset;
    uint64_t whole = 0;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        break;
    case OPTION_TEXT:
        *(const char **)field = text;
        break;
    case OPTION_TEXTS: {
        struct text_list *list = field;
        list->items[list->n_items++] = text;
        break;
    }
    case OPTION_COUNT:
        if (set_unsigned(command, option, SIZE_MAX, text, &whole) != STATUS_DONE) return STATUS_USAGE;
        *(size_t *)field = (size_t)whole;
        break;
    case OPTION_SEED:
        return set_unsigned(command, option, UINT64_MAX, text, field);
    case OPTION_NUMBER:
        return set_number(command, option, text, field);
    case OPTION_CHOICE:
        return set_choice(command, option, text, field);
    }
    return STATUS_DONE;
}
