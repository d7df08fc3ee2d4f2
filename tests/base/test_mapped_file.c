#include "unit.h"

#include "base/mapped_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/hob-mapped-file-XXXXXX";
static char path[sizeof folder + 8];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return -1;
    snprintf(path, sizeof path, "%s/file", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void write_file(const char *text)
{
    unlink(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* The file must be untouched and the message must name the path. */
static void check_fails(const char *at, hob_status expected)
{
    struct mapped_file file = {.bytes = (const unsigned char *)"old", .n_bytes = 3};
    hob_error error;
    assert_int_equal(mapped_file_open(at, &file, &error), expected);
    assert_int_equal(file.n_bytes, 3);
    assert_int_equal(error.code, expected);
    assert_memory_equal(error.message, at, strlen(at));
    assert_int_equal(mapped_file_open(at, &file, NULL), expected);
}

static void test_maps_the_bytes(void **state)
{
    (void)state;
    write_file("hob");
    struct mapped_file file;
    assert_int_equal(mapped_file_open(path, &file, NULL), HOB_OK);
    assert_int_equal(file.n_bytes, 3);
    assert_memory_equal(file.bytes, "hob", 3);
    unlink(path); /* the mapping outlives the name */
    assert_memory_equal(file.bytes, "hob", 3);
    mapped_file_release(&file);
    assert_null(file.bytes);
    mapped_file_release(&file);
}

static void test_an_empty_file_has_no_bytes(void **state)
{
    (void)state;
    write_file("");
    struct mapped_file file;
    assert_int_equal(mapped_file_open(path, &file, NULL), HOB_OK);
    assert_int_equal(file.n_bytes, 0);
    assert_null(file.bytes);
    mapped_file_release(&file);
}

static void test_a_missing_file_is_not_found(void **state)
{
    (void)state;
    unlink(path);
    check_fails(path, HOB_NOT_FOUND);
}

static void test_a_folder_is_refused(void **state)
{
    (void)state;
    check_fails(folder, HOB_IO);
}

static void test_a_device_is_refused(void **state)
{
    (void)state;
    check_fails("/dev/null", HOB_IO);
}

static void test_a_pipe_is_refused_without_hanging(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    check_fails(path, HOB_IO);
}

static void test_a_forbidden_file_is_refused(void **state)
{
    (void)state;
    if (geteuid() == 0) skip(); /* nothing is forbidden to root */
    write_file("hob");
    assert_int_equal(chmod(path, 0), 0);
    check_fails(path, HOB_IO);
}

static void test_no_descriptor_is_left_open(void **state)
{
    (void)state;
    write_file("hob");
    int before = open("/dev/null", O_RDONLY);
    close(before);
    struct mapped_file file;
    assert_int_equal(mapped_file_open(path, &file, NULL), HOB_OK);
    assert_int_not_equal(mapped_file_open(folder, &file, NULL), HOB_OK);
    int after = open("/dev/null", O_RDONLY);
    close(after);
    assert_int_equal(before, after);
    mapped_file_release(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maps_the_bytes),
        cmocka_unit_test(test_an_empty_file_has_no_bytes),
        cmocka_unit_test(test_a_missing_file_is_not_found),
        cmocka_unit_test(test_a_folder_is_refused),
        cmocka_unit_test(test_a_device_is_refused),
        cmocka_unit_test(test_a_pipe_is_refused_without_hanging),
        cmocka_unit_test(test_a_forbidden_file_is_refused),
        cmocka_unit_test(test_no_descriptor_is_left_open),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
