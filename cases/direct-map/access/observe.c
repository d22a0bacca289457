// SPDX-License-Identifier: GPL-2.0
/*
 * direct-map/access: what KVM reads and writes of a guest by userspace_addr works with memory
 * that is kept out of the direct map, and leaves it there.
 */
#include <asm/kvm_para.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "case.h"
#include "directmap.h"
#include "gmem.h"
#include "hostmem.h"
#include "memslot.h"
#include "pfn.h"
#include "probe_ops.h"

#define GPA		0x10000000ull
#define NR_PAGES	8
#define SIZE		PAGES(NR_PAGES)
#define MMIO_GPA	0x90000000ull
enum { CODE_PAGE = 1, DATA_PAGE = 2, TABLE_PAGE = 3, STEAL_PAGE = 4 };

struct access {
	const char *kind;
	struct kvm_vm *vm;
	struct kvm_vcpu *vcpu;
	int gmem;
	u8 *window;
	u64 pfns[NR_PAGES];
};

static const char *name_of(const struct access *a, const char *name)
{
	static char full[96];

	snprintf(full, sizeof(full), "%s.%s", a->kind, name);
	return full;
}

static int absent(const struct access *a)
{
	bool present[NR_PAGES];
	int n = 0;

	directmap_present(a->pfns, NR_PAGES, present);
	for (int i = 0; i < NR_PAGES; i++)
		n += !present[i];
	return n;
}

static struct access access_open(const char *kind, u64 flags, u8 *elsewhere)
{
	struct access a = { .kind = kind, .vm = vm_create(KVM_X86_DEFAULT_VM) };

	a.vcpu = vcpu_create(a.vm);
	a.gmem = vm_create_guest_memfd(a.vm, SIZE, flags);
	a.window = gmem_map(a.gmem, 0, SIZE);
	vm_set_user_memory_region2(a.vm, 0, KVM_MEM_GUEST_MEMFD, GPA, SIZE,
				   elsewhere ? elsewhere : a.window, a.gmem, 0);
	memset(a.window, 0, SIZE);
	for (u64 i = 0; i < NR_PAGES; i++)
		a.pfns[i] = pfn_mapped(a.window + PAGES(i));
	return a;
}

static void access_close(struct access *a)
{
	munmap(a->window, SIZE);
	close(a->gmem);
	vm_free(a->vm);
}

static struct probe_exit execute(struct access *a, const void *code, size_t bytes)
{
	const u64 args[6] = { GPA + PAGES(CODE_PAGE) };
	struct probe_exit e = { 0 };

	memcpy(a->window + PAGES(CODE_PAGE), code, bytes);
	if (__probe_prepare(a->vcpu, PROBE_EXEC, args))
		setup_failed("starting the probe", errno);
	e.exit = vcpu_run(a->vcpu);
	return e;
}

/* KVM has to fetch and decode the store, from the gmem, to tell what is stored. */
static void emulated_store(struct access *a, const char *name)
{
	/* movabs $MMIO_GPA, %rax; movb $0x5a, (%rax); mov $0x77, %eax; ret */
	u8 code[] = { 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xc6, 0x00, 0x5a,
		      0xb8, 0x77, 0, 0, 0, 0xc3 };
	const u64 mmio = MMIO_GPA;
	struct probe_exit e, end = { 0 };

	memcpy(code + 2, &mmio, sizeof(mmio));
	e = execute(a, code, sizeof(code));
	end.exit = vcpu_run(a->vcpu);
	observe(name_of(a, name), f_exit(&e), f_str("then", exit_kind_name(end.exit.kind)),
		f_hex("rax", a->vcpu->mailbox->ret[0]), f_int("absent", absent(a)));
}

/* ... and here what is stored is read from the gmem, too. */
static void emulated_string(struct access *a)
{
	/* movabs $data, %rsi; movabs $MMIO_GPA, %rdi; mov $8, %ecx; rep movsb; ret */
	u8 code[] = { 0x48, 0xbe, 0, 0, 0, 0, 0, 0, 0, 0,
		      0x48, 0xbf, 0, 0, 0, 0, 0, 0, 0, 0,
		      0xb9, 8, 0, 0, 0, 0xf3, 0xa4, 0xc3 };
	const u64 data = GPA + PAGES(DATA_PAGE), mmio = MMIO_GPA;
	static const char text[8] = "direct!";
	struct probe_exit first, end = { 0 };
	char seen[9] = "";
	int n;

	memcpy(code + 2, &data, sizeof(data));
	memcpy(code + 12, &mmio, sizeof(mmio));
	memcpy(a->window + PAGES(DATA_PAGE), text, sizeof(text));
	first = execute(a, code, sizeof(code));
	end = first;
	for (n = 0; n < 8 && end.exit.kind == EXIT_MMIO; n++) {
		seen[n] = (char)end.exit.data;
		end.exit = vcpu_run(a->vcpu);
	}
	seen[7] = '\0';
	observe(name_of(a, "emulated_string"), f_int("exits", n), f_str("seen", seen),
		f_str("then", exit_kind_name(end.exit.kind)), f_int("absent", absent(a)));
}

/* INS into the gmem: the emulator stores what userspace has given it. */
static void emulated_input(struct access *a)
{
	/* movabs $data, %rdi; mov $0x0e00, %edx; insb; ret */
	u8 code[] = { 0x48, 0xbf, 0, 0, 0, 0, 0, 0, 0, 0, 0xba, 0x00, 0x0e, 0, 0, 0x6c, 0xc3 };
	const u64 data = GPA + PAGES(DATA_PAGE) + 64;
	struct probe_exit e, end = { 0 };

	memcpy(code + 2, &data, sizeof(data));
	e = execute(a, code, sizeof(code));
	if (e.exit.kind == EXIT_IO)
		((u8 *)a->vcpu->run)[a->vcpu->run->io.data_offset] = 0xd1;
	end.exit = vcpu_run(a->vcpu);
	observe(name_of(a, "emulated_input"), f_str("exit", exit_kind_name(e.exit.kind)),
		f_str("then", exit_kind_name(end.exit.kind)),
		f_hex("stored", a->window[PAGES(DATA_PAGE) + 64]), f_int("absent", absent(a)));
}

/* The top of the page tables is in the gmem, and KVM walks them for userspace. */
static void translated(struct access *a)
{
	struct kvm_translation t = { .linear_address = GPA + PAGES(DATA_PAGE) + 0x123 };
	struct kvm_sregs sregs;
	u64 old;
	int ret;

	vcpu_ioctl(a->vcpu, KVM_GET_SREGS, &sregs);
	old = sregs.cr3;
	memcpy(a->window + PAGES(TABLE_PAGE), a->vm->arena + (vm_pml4_gpa() - VM_ARENA_GPA),
	       PAGE_SIZE);
	sregs.cr3 = GPA + PAGES(TABLE_PAGE);
	vcpu_ioctl(a->vcpu, KVM_SET_SREGS, &sregs);
	ret = __vcpu_ioctl(a->vcpu, KVM_TRANSLATE, &t);
	observe(name_of(a, "translate"), f_ret(ret), f_bool("valid", t.valid),
		f_hex("address", t.physical_address), f_int("absent", absent(a)));
	/* And the guest itself lives by them, emulated instructions included. */
	emulated_store(a, "emulated_by_tables");
	vcpu_ioctl(a->vcpu, KVM_GET_SREGS, &sregs);
	sregs.cr3 = old;
	vcpu_ioctl(a->vcpu, KVM_SET_SREGS, &sregs);
}

struct steal {
	u64 steal;
	u32 version;
	u32 flags;
};

static void steal_time(struct access *a)
{
	const volatile struct steal *st = (void *)(a->window + PAGES(STEAL_PAGE));
	bool on = probe_wrmsr(a->vcpu, MSR_KVM_STEAL_TIME,
			      (GPA + PAGES(STEAL_PAGE)) | KVM_MSR_ENABLED).exit.kind == EXIT_DONE;

	on = on && probe_nop(a->vcpu).exit.kind == EXIT_DONE;
	observe(name_of(a, "steal_time"), f_bool("on", on), f_bool("written", st->version),
		f_bool("odd", st->version & 1), f_int("absent", absent(a)));
	/* A page that was given back is not written to by its old address. */
	if (gmem_punch(a->gmem, PAGES(STEAL_PAGE), PAGE_SIZE))
		setup_failed("punching a hole", errno);
	probe_nop(a->vcpu);
	a->pfns[STEAL_PAGE] = 0;
	on = probe_nop(a->vcpu).exit.kind == EXIT_DONE && st->version < 64;
	a->pfns[STEAL_PAGE] = pfn_mapped(a->window + PAGES(STEAL_PAGE));
	observe(name_of(a, "steal_time_punched"), f_bool("runs", on), f_int("absent", absent(a)));
	probe_wrmsr(a->vcpu, MSR_KVM_STEAL_TIME, 0);
}

static void prefault(struct access *a)
{
	struct kvm_pre_fault_memory range = { .gpa = GPA, .size = SIZE };
	int ret = __vcpu_ioctl(a->vcpu, KVM_PRE_FAULT_MEMORY, &range);

	observe(name_of(a, "prefault"), f_ret(ret), f_hex("left", range.size),
		f_int("absent", absent(a)));
}

static void one_kind(const char *kind, u64 flags)
{
	struct access a = access_open(kind, flags, NULL);

	emulated_store(&a, "emulated_store");
	emulated_string(&a);
	emulated_input(&a);
	translated(&a);
	steal_time(&a);
	prefault(&a);
	access_close(&a);
}

/* A slot whose userspace_addr is other memory: KVM then sees that, and survives. */
static void unrelated(void)
{
	u8 *elsewhere = anon_pages(SIZE);
	struct access a = access_open("unrelated", GMEM_UNMAPPED, elsewhere);
	/* movabs $GPA..., %rax; mov (%rax), %rax; ret: the guest itself has the gmem. */
	u8 code[] = { 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0x48, 0x8b, 0x00, 0xc3 };
	const u64 data = GPA + PAGES(DATA_PAGE), word = 0x1122334455667788;
	struct probe_exit e;

	memcpy(code + 2, &data, sizeof(data));
	memcpy(a.window + PAGES(DATA_PAGE), &word, sizeof(word));
	e = execute(&a, code, sizeof(code));
	observe("unrelated.guest", f_str("exit", exit_kind_name(e.exit.kind)),
		f_hex("rax", a.vcpu->mailbox->ret[0]), f_int("absent", absent(&a)));
	access_close(&a);
	munmap(elsewhere, SIZE);
}

/* A slot without a gmem takes its memory from the mapping, by taking hold of its pages. */
static void by_mapping(const char *kind, u8 *p)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	struct probe_exit read, write;
	struct kvm_vcpu *vcpu = vcpu_create(vm);
	char name[64];

	memset(p, 0x11, PAGE_SIZE);
	vm_set_user_memory_region(vm, 0, 0, GPA, PAGE_SIZE, p);
	read = probe_read(vcpu, GPA, 8);
	write = probe_write(vcpu, GPA + 8, 8, 1);
	snprintf(name, sizeof(name), "slot_of_mapping.%s", kind);
	observe(name, f_str("read", exit_kind_name(read.exit.kind)), f_errno("read_err", read.exit.err),
		f_str("write", exit_kind_name(write.exit.kind)),
		f_errno("write_err", write.exit.err));
	vm_free(vm);
}

static void mappings(void)
{
	struct kvm_vm *vm = vm_create(KVM_X86_DEFAULT_VM);
	int ordinary = vm_create_guest_memfd(vm, PAGE_SIZE, GMEM_SHARED);
	int hidden = vm_create_guest_memfd(vm, PAGE_SIZE, GMEM_UNMAPPED);
	u8 *secret = secretmem_map(PAGE_SIZE);

	fact_bool("secretmem", secret);
	by_mapping("ordinary", gmem_map(ordinary, 0, PAGE_SIZE));
	by_mapping("hidden", gmem_map(hidden, 0, PAGE_SIZE));
	if (secret)
		by_mapping("secret", secret);
	vm_free(vm);
}

static void direct_map_access(void)
{
	one_kind("ordinary", GMEM_SHARED);
	one_kind("hidden", GMEM_UNMAPPED);
	unrelated();
	mappings();
}
CASE("direct-map/access", direct_map_access);
