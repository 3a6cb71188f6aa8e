/* Fails chosen calls below a folder with a chosen error: cc -shared -fPIC, then LD_PRELOAD.

   Headers that declare open or stat are left out, as they are defined here with other types. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char folder[4096];
static long first, last, calls;
static int error;

/* From now on the calls numbered `from` to `to` fail with `number`; an empty path ends that. */
void faults_arm(const char *path, long from, long to, int number) {
  folder[0] = 0;
  first = from, last = to, error = number, calls = 0;
  snprintf(folder, sizeof folder, "%s", path);
}

long faults_calls(void) { return calls; }

static int fails(int at, const char *path) {
  char whole[8192] = "", link[64];
  if (!folder[0] || (!path && at < 3)) return 0;
  int kept = errno;
  if (!path || path[0] != '/') { /* Relative to an open folder, or an open file itself. */
    snprintf(link, sizeof link, at == -100 ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
    ssize_t size = readlink(link, whole, 4095);
    whole[size < 0 ? 0 : size] = '/';
    if (path) strncat(whole, path, 4000);
  } else {
    strncat(whole, path, 8000);
  }
  errno = kept;
  if (strncmp(whole, folder, strlen(folder))) return 0;
  long number = __sync_add_and_fetch(&calls, 1);
  if (number < first || number > last) return 0;
  errno = error;
  return 1;
}

#define CALL(type, failed, name, declared, passed, at, path)    \
  type name declared {                                          \
    static type(*real) declared;                                \
    if (!real) real = (type(*) declared)dlsym(RTLD_NEXT, #name); \
    return fails(at, path) ? failed : real passed;              \
  }
#define ON_FILE(type, name, declared, passed) CALL(type, -1, name, declared, passed, fd, NULL)
#define ON_PATH(name, declared, passed) CALL(int, -1, name, declared, passed, -100, path)
#define AT_PATH(name, declared, passed) CALL(int, -1, name, declared, passed, fd, path)
#define OPEN(name) ON_PATH(name, (const char *path, int how, unsigned mode), (path, how, mode))
#define OPEN_AT(name) \
  AT_PATH(name, (int fd, const char *path, int how, unsigned mode), (fd, path, how, mode))
#define STAT(name) ON_PATH(name, (const char *path, void *to), (path, to))
#define MOVE(name, type, how) \
  ON_FILE(ssize_t, name, (int fd, type *bytes, size_t size, long how), (fd, bytes, size, how))

OPEN(open) OPEN(open64) OPEN_AT(openat) OPEN_AT(openat64)
STAT(stat) STAT(stat64) STAT(lstat) STAT(lstat64)
AT_PATH(fstatat, (int fd, const char *path, void *to, int how), (fd, path, to, how))
AT_PATH(fstatat64, (int fd, const char *path, void *to, int how), (fd, path, to, how))
ON_FILE(int, fstat, (int fd, void *to), (fd, to))
ON_FILE(int, fstat64, (int fd, void *to), (fd, to))
ON_FILE(int, __fxstat, (int version, int fd, void *to), (version, fd, to))
ON_PATH(__xstat, (int version, const char *path, void *to), (version, path, to))
ON_PATH(__lxstat, (int version, const char *path, void *to), (version, path, to))
MOVE(pread, void, from) MOVE(pread64, void, from)
MOVE(pwrite, const void, from) MOVE(pwrite64, const void, from)
ON_FILE(ssize_t, read, (int fd, void *bytes, size_t size), (fd, bytes, size))
ON_FILE(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
ON_FILE(ssize_t, writev, (int fd, const void *parts, int count), (fd, parts, count))
ON_FILE(int, fsync, (int fd), (fd))
ON_FILE(int, ftruncate64, (int fd, long size), (fd, size))
ON_PATH(rename, (const char *path, const char *to), (path, to))
ON_PATH(mkdir, (const char *path, unsigned mode), (path, mode))
ON_PATH(rmdir, (const char *path), (path))
ON_PATH(unlink, (const char *path), (path))
AT_PATH(unlinkat, (int fd, const char *path, int how), (fd, path, how))
CALL(void *, NULL, opendir, (const char *path), (path), -100, path)
CALL(void *, NULL, fdopendir, (int fd), (fd), fd, NULL)
