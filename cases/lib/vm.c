// SPDX-License-Identifier: GPL-2.0
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe.h"
#include "memslot.h"
#include "vcpu.h"
#include "vm.h"

extern const u8 probe_image[], probe_image_end[];

/*
 * The arena, page by page:
 *   0      the probe
 *   1      IDT; GDT in its second half
 *   2      PML4
 *   3      PDPT: 512 GiB, 2 MiB pages in the first 4, 1 GiB pages above
 *   4..7   page directories of the first 4 GiB
 *   8...   two pages a vCPU: mailbox, TSS and exception stack; then its stack
 */
enum {
	ARENA_PROBE,
	ARENA_TABLES,
	ARENA_PML4,
	ARENA_PDPT,
	ARENA_PD,
	ARENA_VCPUS = ARENA_PD + 4,
	ARENA_PAGES = ARENA_VCPUS + 2 * VM_MAX_VCPUS,
};

#define GDT_OFFSET	2048
#define TSS_OFFSET	1024

#define PTE_PRESENT	BIT(0)
#define PTE_WRITE	BIT(1)
#define PTE_LARGE	BIT(7)

_Static_assert(sizeof(struct probe_mailbox) <= TSS_OFFSET,
	       "the mailbox runs into the TSS");

static gpa_t arena_gpa(int page)
{
	return VM_ARENA_GPA + PAGES(page);
}

gpa_t vm_mailbox_gpa(int id)
{
	return arena_gpa(ARENA_VCPUS + 2 * id);
}

gpa_t vm_tss_gpa(int id)
{
	return vm_mailbox_gpa(id) + TSS_OFFSET;
}

gpa_t vm_stack_gpa(int id)
{
	/* The end of the second page: stacks grow down. */
	return vm_mailbox_gpa(id) + PAGES(2);
}

struct probe_mailbox *vm_mailbox(struct kvm_vm *vm, int id)
{
	return (void *)(vm->arena + PAGES(ARENA_VCPUS + 2 * id));
}

gpa_t vm_entry_gpa(void)
{
	const struct probe_header *header = (const void *)probe_image;

	return arena_gpa(ARENA_PROBE) + header->entry;
}

gpa_t vm_idt_gpa(void)
{
	return arena_gpa(ARENA_TABLES);
}

gpa_t vm_gdt_gpa(void)
{
	return arena_gpa(ARENA_TABLES) + GDT_OFFSET;
}

gpa_t vm_pml4_gpa(void)
{
	return arena_gpa(ARENA_PML4);
}

static u64 *arena_table(struct kvm_vm *vm, int page)
{
	return (u64 *)(vm->arena + PAGES(page));
}

static bool has_1g_pages(void)
{
	const struct kvm_cpuid_entry2 *e = kvm_cpuid_entry(0x80000001, 0);

	return e && e->edx & BIT(26);
}

/* Guest virtual is guest physical, writable and executable throughout. */
static void write_page_tables(struct kvm_vm *vm)
{
	const u64 table = PTE_PRESENT | PTE_WRITE;
	const u64 large = table | PTE_LARGE;
	u64 *pdpt = arena_table(vm, ARENA_PDPT);
	u64 *pd = arena_table(vm, ARENA_PD);

	arena_table(vm, ARENA_PML4)[0] = arena_gpa(ARENA_PDPT) | table;
	for (u64 i = 0; i < 4; i++)
		pdpt[i] = arena_gpa(ARENA_PD + (int)i) | table;
	for (u64 i = 0; i < 4 * 512; i++)
		pd[i] = MIB(2) * i | large;
	for (u64 i = 4; i < 512 && has_1g_pages(); i++)
		pdpt[i] = GIB(1) * i | large;
}

/* Every vector enters its stub of the probe, on the exception stack (IST 1). */
static void write_idt(struct kvm_vm *vm)
{
	const struct probe_header *header = (const void *)probe_image;
	u64 *idt = arena_table(vm, ARENA_TABLES);

	for (u32 i = 0; i < header->nr_stubs; i++) {
		u64 stub = arena_gpa(ARENA_PROBE) + header->stubs +
			   i * header->stub_bytes;

		/* interrupt gate, present, ring 0 */
		idt[2 * i] = (stub & 0xffff) | (u64)VCPU_CODE_SELECTOR << 16 |
			     1ull << 32 | 0x8eull << 40 |
			     (stub >> 16 & 0xffff) << 48;
		idt[2 * i + 1] = stub >> 32;
	}
}

static void write_gdt(struct kvm_vm *vm)
{
	u64 *gdt = (u64 *)(vm->arena + PAGES(ARENA_TABLES) + GDT_OFFSET);

	gdt[VCPU_CODE_SELECTOR / 8] = 0x00af9b000000ffffull;
	gdt[VCPU_DATA_SELECTOR / 8] = 0x00cf93000000ffffull;
}

u64 vm_arena_bytes(void)
{
	return PAGES(ARENA_PAGES);
}

void vm_arena_create(struct kvm_vm *vm)
{
	if (vm->arena)
		return;
	vm->arena = mmap(NULL, PAGES(ARENA_PAGES), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm->arena == MAP_FAILED)
		setup_failed("mmap of the arena", errno);
	memcpy(vm->arena, probe_image, (size_t)(probe_image_end - probe_image));
	write_page_tables(vm);
	write_idt(vm);
	write_gdt(vm);
	vm_set_user_memory_region(vm, VM_ARENA_SLOT, 0, VM_ARENA_GPA,
				  PAGES(ARENA_PAGES), vm->arena);
}

struct kvm_vm *__vm_create(unsigned long type)
{
	struct kvm_vm *vm = calloc(1, sizeof(*vm));
	int kvm = __kvm_open();

	if (!vm)
		setup_failed("calloc", ENOMEM);
	vm->type = type;
	vm->fd = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, type);
	if (vm->fd < 0) {
		int err = errno;

		free(vm);
		errno = err;
		return NULL;
	}
	return vm;
}

struct kvm_vm *vm_create(unsigned long type)
{
	struct kvm_vm *vm = __vm_create(type);

	if (!vm)
		setup_failed("KVM_CREATE_VM", errno);
	return vm;
}

void vm_free(struct kvm_vm *vm)
{
	if (!vm)
		return;
	for (int i = 0; i < vm->nr_vcpus; i++)
		vcpu_free(vm->vcpus[i]);
	if (vm->arena)
		munmap(vm->arena, PAGES(ARENA_PAGES));
	if (vm->fd >= 0)
		close(vm->fd);
	free(vm);
}
