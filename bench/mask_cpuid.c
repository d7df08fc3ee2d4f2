/* Hides AVX-512 from a program that asks the processor itself: preloaded, it lets the kernel fault every CPUID instruction and answers
 * in its place, with AVX-512 and AMX left out. So ONNX Runtime can be held to AVX2 on a machine that has more; it has no option for that.
 *
 *     LD_PRELOAD=mask_cpuid.so node …          needs a processor with CPUID faulting (cpuid_fault in /proc/cpuinfo)
 *
 * Threads inherit the fault. The program's own handler of SIGSEGV is kept and called for every other fault. */
#include <asm/prctl.h>
#include <cpuid.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

enum { CPUID_BYTES = 2 };

static int (*real_sigaction)(int, const struct sigaction *, struct sigaction *);
static struct sigaction theirs;

static void set_cpuid(unsigned long is_allowed)
{
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, is_allowed);
}

/* Leaf 7: EBX 16 17 21 26 27 28 30 31, ECX 1 6 11 12 14, EDX 2 3 8 22 23 24 25; leaf 7.1: EAX 5. */
static void mask(unsigned leaf, unsigned subleaf, unsigned registers[4])
{
    if (leaf != 7) return;
    if (subleaf == 1) registers[0] &= ~(1u << 5);
    if (subleaf != 0) return;
    registers[1] &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31);
    registers[2] &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);
    registers[3] &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);
}

static void answer_cpuid(greg_t *registers)
{
    unsigned leaf = (unsigned)registers[REG_RAX], subleaf = (unsigned)registers[REG_RCX], found[4];
    set_cpuid(1);
    __cpuid_count(leaf, subleaf, found[0], found[1], found[2], found[3]);
    set_cpuid(0);
    mask(leaf, subleaf, found);
    registers[REG_RAX] = found[0];
    registers[REG_RBX] = found[1];
    registers[REG_RCX] = found[2];
    registers[REG_RDX] = found[3];
    registers[REG_RIP] += CPUID_BYTES;
}

static void pass_on(int signal_number, siginfo_t *info, void *context)
{
    if (theirs.sa_flags & SA_SIGINFO && theirs.sa_sigaction) {
        theirs.sa_sigaction(signal_number, info, context);
    } else if (theirs.sa_handler != SIG_DFL && theirs.sa_handler != SIG_IGN) {
        theirs.sa_handler(signal_number);
    } else {
        struct sigaction default_action = {.sa_handler = SIG_DFL};
        real_sigaction(signal_number, &default_action, NULL);
    }
}

static void on_fault(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    const unsigned char *code = (const unsigned char *)at->uc_mcontext.gregs[REG_RIP];
    /* The kernel raises it with a general protection fault: no address. */
    if (info->si_code == SI_KERNEL && code[0] == 0x0f && code[1] == 0xa2) answer_cpuid(at->uc_mcontext.gregs);
    else pass_on(signal_number, info, context);
}

int sigaction(int signal_number, const struct sigaction *action, struct sigaction *ret_before)
{
    if (!real_sigaction)
        real_sigaction = (int (*)(int, const struct sigaction *, struct sigaction *))dlsym(RTLD_NEXT, "sigaction");
    if (signal_number != SIGSEGV) return real_sigaction(signal_number, action, ret_before);
    if (ret_before) *ret_before = theirs;
    if (action) theirs = *action;
    return 0;
}

__attribute__((constructor)) static void begin(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
    if (!real_sigaction)
        real_sigaction = (int (*)(int, const struct sigaction *, struct sigaction *))dlsym(RTLD_NEXT, "sigaction");
    real_sigaction(SIGSEGV, &action, NULL);
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0) != 0) {
        fprintf(stderr, "mask_cpuid: this machine cannot fault CPUID\n");
        _exit(1);
    }
}
