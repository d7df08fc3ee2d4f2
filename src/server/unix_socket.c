/* Order matters: the lock first, so that of two daemons that start at once one gives up; then what lies at the path is looked at; then the
 * socket is given its mode before it has a name, so that it is nobody else's even for a moment: Linux makes the file with the mode of the
 * descriptor. A mask (umask) would do the same, but for all threads, and one of them makes files of its own meanwhile. */
#include "server/unix_socket.h"

#include "base/error.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 128 };

struct unix_socket {
    char path[PATH_BYTES], lock_path[PATH_BYTES + 8];
    int lock_fd;
    dev_t device;
    ino_t inode; /* of the socket's file; 0: not made yet */
};

static hob_status make_folders(char *path, hob_error *error)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int code = mkdir(path, 0700) == 0 || errno == EEXIST ? 0 : errno;
        if (code) FAIL(error, HOB_IO, "%s: the folder cannot be made: %s", path, strerror(code));
        *slash = '/';
    }
    return HOB_OK;
}

/* Who may write to the folder may put another socket in place of ours, and people would talk to that. A sticky folder of the system's,
 * as /tmp, lets nobody do so. */
static hob_status check_folder(const char *path, hob_error *error)
{
    char folder[PATH_BYTES];
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash) snprintf(folder, sizeof folder, ".");
    else slash[slash == folder] = 0;
    struct stat status;
    if (stat(folder, &status) != 0) FAIL(error, HOB_IO, "%s: %s", folder, strerror(errno));
    if (status.st_uid != geteuid() && status.st_uid != 0)
        FAIL(error, HOB_IO, "%s: found a folder of another user (%u), expected one of our own", folder, status.st_uid);
    if ((status.st_mode & 022) && !(status.st_mode & S_ISVTX))
        FAIL(error, HOB_IO, "%s: found a folder with mode %04o, expected one that others may not write to", folder, status.st_mode & 07777u);
    return HOB_OK;
}

static hob_status take_lock(struct unix_socket *socket, hob_error *error)
{
    for (;;) {
        socket->lock_fd = open(socket->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (socket->lock_fd < 0) FAIL(error, HOB_IO, "%s: %s", socket->lock_path, strerror(errno));
        if (flock(socket->lock_fd, LOCK_EX | LOCK_NB) != 0)
            FAIL(error, HOB_IO, "%s: another daemon holds it: expected one that stopped (hob stop)", socket->lock_path);
        struct stat status;
        if (fstat(socket->lock_fd, &status) == 0 && status.st_nlink > 0) return HOB_OK;
        close(socket->lock_fd); /* its owner removed it between our two calls */
        socket->lock_fd = -1;
    }
}

/* A socket that refuses connections has nobody behind it any more. */
static hob_status remove_stale(const struct address *address, const char *path, hob_error *error)
{
    struct stat status;
    if (lstat(path, &status) != 0) return HOB_OK;
    if (!S_ISSOCK(status.st_mode)) FAIL(error, HOB_IO, "%s: found a file that is no socket, expected none", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_alive = fd >= 0 && (connect(fd, &address->socket.any, address->n_socket_bytes) == 0 || errno == EAGAIN);
    if (fd >= 0) close(fd);
    if (is_alive) FAIL(error, HOB_IO, "%s: somebody answers there already", path);
    if (unlink(path) != 0) FAIL(error, HOB_IO, "%s: what a daemon left there cannot be removed: %s", path, strerror(errno));
    return HOB_OK;
}

static hob_status bind_and_listen(struct unix_socket *own, const struct address *address, int fd, hob_error *error)
{
    if (fchmod(fd, 0600) != 0 || bind(fd, &address->socket.any, address->n_socket_bytes) != 0)
        FAIL(error, HOB_IO, "%s: %s", own->path, strerror(errno));
    struct stat status;
    if (lstat(own->path, &status) != 0) FAIL(error, HOB_IO, "%s: %s", own->path, strerror(errno));
    own->device = status.st_dev;
    own->inode = status.st_ino;
    if (status.st_mode & 077)
        FAIL(error, HOB_IO, "%s: found a socket with mode %04o, expected 0600", own->path, status.st_mode & 07777u);
    if (listen(fd, SOMAXCONN) != 0) FAIL(error, HOB_IO, "%s: %s", own->path, strerror(errno));
    return HOB_OK;
}

hob_status unix_socket_listen(const struct address *address, struct unix_socket **ret_socket, int *ret_fd, hob_error *error)
{
    struct unix_socket *own = memory_new(1, sizeof *own);
    if (!own) FAIL(error, HOB_NO_MEMORY, "no memory for a socket");
    hob_status status = HOB_OK;
    own->lock_fd = -1;
    int fd = -1;
    snprintf(own->path, sizeof own->path, "%s", address->socket.un.sun_path);
    snprintf(own->lock_path, sizeof own->lock_path, "%s.lock", own->path);
    TRY_CLEANUP(make_folders(own->path, error));
    TRY_CLEANUP(check_folder(own->path, error));
    TRY_CLEANUP(take_lock(own, error));
    TRY_CLEANUP(remove_stale(address, own->path, error));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) FAIL_CLEANUP(error, HOB_IO, "%s: %s", own->path, strerror(errno));
    TRY_CLEANUP(bind_and_listen(own, address, fd, error));
    *ret_fd = fd;
    *ret_socket = own;
    return HOB_OK;

cleanup:
    if (fd >= 0) close(fd);
    unix_socket_free(own);
    return status;
}

void unix_socket_free(struct unix_socket *own)
{
    if (!own) return;
    struct stat status;
    if (own->inode && lstat(own->path, &status) == 0 && status.st_ino == own->inode && status.st_dev == own->device) unlink(own->path);
    if (own->lock_fd >= 0) {
        if (own->inode) unlink(own->lock_path);
        close(own->lock_fd);
    }
    memory_free(own);
}
