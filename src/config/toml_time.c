/* Dates and times as RFC 3339 writes them, whole or in parts: 1979-05-27T07:32:00.5-07:00, 1979-05-27 07:32:00, 1979-05-27, 07:32:00. */
#include "config/toml_scan.h"

struct reader {
    const char *at, *end;
};

static bool take(struct reader *reader, char wanted)
{
    if (reader->at == reader->end || *reader->at != wanted) return false;
    reader->at++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly n digits. */
static bool read_digits(struct reader *reader, int n, int least, int most, int *ret_number)
{
    int number = 0;
    if (reader->end - reader->at < n) return false;
    for (int i = 0; i < n; i++, reader->at++) {
        if (!is_digit(*reader->at)) return false;
        number = number * 10 + (*reader->at - '0');
    }
    *ret_number = number;
    return number >= least && number <= most;
}

static int days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && is_leap ? 29 : days[month - 1];
}

static bool read_date(struct reader *reader, struct toml_time *time)
{
    time->has_date = true;
    return read_digits(reader, 4, 0, 9999, &time->year) && take(reader, '-') && read_digits(reader, 2, 1, 12, &time->month) &&
           take(reader, '-') && read_digits(reader, 2, 1, days_of(time->year, time->month), &time->day);
}

static bool read_fraction(struct reader *reader, struct toml_time *time)
{
    if (!take(reader, '.')) return true;
    int weight = 100000000;
    const char *start = reader->at;
    for (; reader->at < reader->end && is_digit(*reader->at); reader->at++, weight /= 10)
        time->nanosecond += (*reader->at - '0') * weight;
    return reader->at > start;
}

static bool read_clock(struct reader *reader, struct toml_time *time)
{
    time->has_time = true;
    return read_digits(reader, 2, 0, 23, &time->hour) && take(reader, ':') && read_digits(reader, 2, 0, 59, &time->minute) &&
           take(reader, ':') && read_digits(reader, 2, 0, 60, &time->second) && read_fraction(reader, time);
}

static bool read_offset(struct reader *reader, struct toml_time *time)
{
    if (reader->at == reader->end) return true;
    time->has_offset = true;
    if (take(reader, 'Z') || take(reader, 'z')) return true;
    bool is_west = take(reader, '-');
    int hours, minutes;
    if (!is_west && !take(reader, '+')) return false;
    if (!read_digits(reader, 2, 0, 23, &hours) || !take(reader, ':') || !read_digits(reader, 2, 0, 59, &minutes)) return false;
    time->offset_minutes = (is_west ? -1 : 1) * (hours * 60 + minutes);
    return true;
}

bool toml_read_time(const char *text, size_t n_bytes, struct toml_time *ret_time)
{
    struct reader reader = {text, text + n_bytes};
    struct toml_time time = {0};
    bool begins_with_date = n_bytes > 4 && text[4] == '-';
    bool is_good = begins_with_date ? read_date(&reader, &time) : read_clock(&reader, &time);
    if (is_good && begins_with_date && (take(&reader, 'T') || take(&reader, 't') || take(&reader, ' ')))
        is_good = read_clock(&reader, &time) && read_offset(&reader, &time);
    if (!is_good || reader.at != reader.end) return false;
    *ret_time = time;
    return true;
}
