// SPDX-License-Identifier: GPL-2.0
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "case.h"
#include "create.h"

/* Creates one and closes it; what is left is whether it could be made. */
static int try_create(struct kvm_vm *vm, u64 size, u64 flags)
{
	int fd = __vm_create_guest_memfd(vm, size, flags);

	if (fd >= 0)
		close(fd);
	return fd;
}

struct tally {
	u64 calls;
	u64 wrong;	/* accepted against the promise, or the reverse */
	u64 first_wrong;
	u64 not_einval;	/* refused with another errno */
};

static void try_flags(struct kvm_vm *vm, u64 flags, u64 promised, struct tally *t)
{
	bool made = try_create(vm, PAGE_SIZE, flags) >= 0;

	t->calls++;
	if (made != !(flags & ~promised) && !t->wrong++)
		t->first_wrong = flags;
	if (!made && errno != EINVAL)
		t->not_einval++;
}

/* Each of 64 bits alone, and each pair of them. */
static void flags(unsigned long type, const char *kind)
{
	struct kvm_vm *vm = vm_create(type);
	u64 promised = gmem_flags_promised(vm);
	u64 device = (u64)kvm_check_cap(KVM_CAP_GUEST_MEMFD_FLAGS);
	struct tally single = { 0 }, pairs = { 0 };
	u64 accepted = 0;
	char name[64];

	snprintf(name, sizeof(name), "flags.%s_promise", kind);
	observe(name, f_hex("device", device), f_hex("vm", promised),
		f_hex("not_on_device", promised & ~device));
	snprintf(name, sizeof(name), "flags.%s_none", kind);
	observe(name, f_created(try_create(vm, PAGE_SIZE, 0)));
	snprintf(name, sizeof(name), "flags.%s_all_promised", kind);
	observe(name, f_created(try_create(vm, PAGE_SIZE, promised)));

	for (int a = 0; a < 64; a++) {
		try_flags(vm, BIT(a), promised, &single);
		if (try_create(vm, PAGE_SIZE, BIT(a)) >= 0)
			accepted |= BIT(a);
		for (int b = a + 1; b < 64; b++)
			try_flags(vm, BIT(a) | BIT(b), promised, &pairs);
	}
	snprintf(name, sizeof(name), "flags.%s_single", kind);
	observe(name, f_int("calls", (long long)single.calls),
		f_hex("promised", promised), f_hex("accepted", accepted),
		f_int("wrong", (long long)single.wrong),
		f_first("first_wrong", single.wrong, single.first_wrong),
		f_int("not_einval", (long long)single.not_einval));
	snprintf(name, sizeof(name), "flags.%s_pairs", kind);
	observe(name, f_int("calls", (long long)pairs.calls),
		f_int("wrong", (long long)pairs.wrong),
		f_first("first_wrong", pairs.wrong, pairs.first_wrong),
		f_int("not_einval", (long long)pairs.not_einval));
	vm_free(vm);
}

static void sizes(struct kvm_vm *vm)
{
	static const struct {
		const char *name;
		u64 size;
	} bad[] = {
		{ "size.zero", 0 },
		{ "size.one_byte", 1 },
		{ "size.page_less_one", PAGE_SIZE - 1 },
		{ "size.page_and_one", PAGE_SIZE + 1 },
		{ "size.pages_and_half", PAGES(5) + PAGE_SIZE / 2 },
		{ "size.2p63", BIT(63) },
		{ "size.minus_page", -PAGE_SIZE },
		{ "size.minus_one", ~0ull },
	};
	static const struct {
		const char *name;
		u64 size;
	} good[] = {
		{ "size.page", PAGE_SIZE },
		{ "size.odd_pages", PAGES(5) },
		{ "size.sparse_2p40", BIT(40) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		observe(bad[i].name, f_created(try_create(vm, bad[i].size, 0)));
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		int fd = __vm_create_guest_memfd(vm, good[i].size, 0);
		struct stat st = { 0 };

		if (fd >= 0) {
			fstat(fd, &st);
			close(fd);
		}
		observe(good[i].name, f_created(fd), f_hex("asked", good[i].size),
			f_hex("st_size", (u64)st.st_size),
			f_int("difference", (long long)(good[i].size - (u64)st.st_size)));
	}
}

static void bad_pointer(struct kvm_vm *vm)
{
	struct kvm_create_guest_memfd *args = mmap(NULL, PAGE_SIZE, PROT_NONE,
						   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (args == MAP_FAILED)
		setup_failed("mmap", errno);
	observe("argument.unreadable", f_created(__vm_ioctl(vm, KVM_CREATE_GUEST_MEMFD, args)));
	munmap(args, PAGE_SIZE);
}

/* With the table full there is no fd, and none is lost either. */
static void full_table(struct kvm_vm *vm)
{
	int taken[64], n = 0, fd, again;
	struct rlimit old, low;

	getrlimit(RLIMIT_NOFILE, &old);
	low = old;
	low.rlim_cur = ARRAY_SIZE(taken);
	setrlimit(RLIMIT_NOFILE, &low);
	while (n < (int)ARRAY_SIZE(taken) && (fd = dup(STDERR_FILENO)) >= 0)
		taken[n++] = fd;
	fd = __vm_create_guest_memfd(vm, PAGE_SIZE, 0);
	observe("argument.fd_table_full", f_created(fd));
	if (n)
		close(taken[--n]);
	again = try_create(vm, PAGE_SIZE, 0);
	observe("argument.fd_table_one_free", f_created(again));
	while (n)
		close(taken[--n]);
	setrlimit(RLIMIT_NOFILE, &old);
}

void create_arguments(void)
{
	bool sw_protected = kvm_check_cap(KVM_CAP_VM_TYPES) &
			    BIT(KVM_X86_SW_PROTECTED_VM);
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);

	fact_bool("sw_protected", sw_protected);
	flags(KVM_X86_DEFAULT_VM, "default");
	if (sw_protected)
		flags(KVM_X86_SW_PROTECTED_VM, "sw_protected");
	sizes(vm);
	bad_pointer(vm);
	full_table(vm);
	vm_free(vm);
}
