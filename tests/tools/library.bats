# The library as a program outside the tree sees it: installed headers, pkg-config, exported names.

setup_file() {
    export STAGE=$BATS_FILE_TMPDIR/stage
    make --no-print-directory install DESTDIR="$STAGE" PREFIX=/usr >"$BATS_FILE_TMPDIR/log" 2>&1
}

library_flags() {
    PKG_CONFIG_SYSROOT_DIR=$STAGE PKG_CONFIG_LIBDIR=$STAGE/usr/lib/pkgconfig \
        PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 pkg-config "$@" libhob
}

@test "installs program, libraries, headers and pkg-config file" {
    [ -x "$STAGE/usr/bin/hob" ]
    [ -f "$STAGE/usr/include/hob/hob.h" ]
    [ -f "$STAGE/usr/lib/libhob.a" ]
    [ -f "$STAGE/usr/lib/libhob.so" ]
    readelf -d "$STAGE/usr/lib/libhob.so" | grep -q 'SONAME.*\[libhob.so.0\]'
    [ "$(library_flags --modversion)" = "$(sed -n 's/^#define HOB_VERSION_STRING "\(.*\)"/\1/p' include/hob/hob.h)" ]
}

@test "a program builds and runs against the installed library, shared and static" {
    cat > "$BATS_TEST_TMPDIR/version.c" <<'END'
#include <hob/hob.h>
#include <stdio.h>
#include <string.h>
int main(void)
{
    puts(hob_version());
    return strcmp(hob_version(), HOB_VERSION_STRING) != 0;
}
END
    cd "$BATS_TEST_TMPDIR"
    gcc -std=c99 -Wall -Wextra -Werror -pedantic version.c -o shared $(library_flags --cflags --libs)
    LD_LIBRARY_PATH=$STAGE/usr/lib ./shared
    gcc version.c -o static $(library_flags --cflags) "$STAGE/usr/lib/libhob.a" $(library_flags --libs --static)
    LD_LIBRARY_PATH=$STAGE/usr/lib ./static
}

@test "only names that begin with hob_ are exported" {
    run sh -c "nm -D --defined-only '$STAGE/usr/lib/libhob.so' | awk '{ print \$NF }' | grep -v '^hob_'"
    [ -z "$output" ]
}

@test "every public header compiles on its own, in C and C++" {
    for header in include/hob/*.h; do
        echo "#include \"$header\"" | gcc -std=c99 -pedantic -Wall -Wextra -Werror -fsyntax-only -Iinclude -I. -x c -
        echo "extern \"C\" {
#include \"$header\"
}" | gcc -std=c++17 -Wall -Wextra -Werror -fsyntax-only -Iinclude -I. -x c++ - || [ -z "$(command -v g++)" ]
    done
}

@test "uninstall leaves nothing behind" {
    make --no-print-directory uninstall DESTDIR="$STAGE" PREFIX=/usr
    [ -z "$(find "$STAGE" -type f -o -type l)" ]
}
