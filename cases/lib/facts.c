// SPDX-License-Identifier: GPL-2.0
/* --facts: what this host is.  What it can is in can.c. */
#include <cpuid.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "cpus.h"
#include "facts.h"
#include "kvm.h"
#include "meminit.h"
#include "observe.h"

/* Facts are no observation: the line may be longer than a pipe takes at once. */
#define FACTS_BYTES	32768

static void read_word(const char *path, char *word, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, word, size - 1);

	if (fd >= 0)
		close(fd);
	word[n > 0 ? n : 0] = '\0';
	word[strcspn(word, "\n")] = '\0';
}

static int count_entries(const char *dir, const char *prefix)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int n = 0;

	if (!d)
		return 0;
	while ((entry = readdir(d))) {
		const char *rest = entry->d_name + strlen(prefix);

		if (!strncmp(entry->d_name, prefix, strlen(prefix)) &&
		    *rest >= '0' && *rest <= '9')
			n++;
	}
	closedir(d);
	return n;
}

static void model_name(char *model, size_t size)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(model, size, "unknown");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		char *value = strstr(line, ": ");

		if (strncmp(line, "model name", 10) || !value)
			continue;
		value[strcspn(value, "\n")] = '\0';
		snprintf(model, size, "%s", value + 2);
		break;
	}
	fclose(file);
}

static void cpu_json(struct json *j)
{
	u32 a, b, c, d;
	char vendor[13] = "", model[128];

	__cpuid(0, a, b, c, d);
	memcpy(vendor, &b, 4);
	memcpy(vendor + 4, &d, 4);
	memcpy(vendor + 8, &c, 4);
	json_str(j, "vendor", vendor);
	model_name(model, sizeof(model));
	json_str(j, "model", model);
	__cpuid(1, a, b, c, d);
	json_bool(j, "hypervisor", c & BIT(31));
}

/*
 * A kernel with both vendors' modules built in has both directories; only the
 * one of the CPU's vendor can be in use.  Empty if there is none.
 */
static void find_driver(char *driver, size_t size)
{
	const char *vendors = cpu_is_amd() ? "kvm_amd" : "kvm_intel";
	char path[80];
	struct dirent *entry;
	DIR *modules;

	driver[0] = '\0';
	modules = opendir("/sys/module");
	while (modules && (entry = readdir(modules)))
		if (!strncmp(entry->d_name, "kvm_", 4) &&
		    strcmp(entry->d_name, "kvm_amd") &&
		    strcmp(entry->d_name, "kvm_intel"))
			snprintf(driver, size, "%.60s", entry->d_name);
	if (modules)
		closedir(modules);
	snprintf(path, sizeof(path), "/sys/module/%s", vendors);
	if (!driver[0] && !access(path, F_OK))
		snprintf(driver, size, "%s", vendors);
}

static void params_of(struct json *j, const char *module)
{
	char dir[128], path[512], key[256], value[128];
	struct dirent *entry;
	DIR *d;

	snprintf(dir, sizeof(dir), "/sys/module/%.60s/parameters", module);
	d = opendir(dir);
	if (!d)
		return;
	while ((entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%.200s", dir, entry->d_name);
		snprintf(key, sizeof(key), "%.60s.%.180s", module, entry->d_name);
		read_word(path, value, sizeof(value));
		json_str(j, key, value);
	}
	closedir(d);
}

/* Of kvm itself and of the driver in use; another vendor's mean nothing here. */
static void params_json(struct json *j, const char *driver)
{
	json_open(j, "params", '{');
	params_of(j, "kvm");
	if (driver[0])
		params_of(j, driver);
	json_close(j, '}');
}

static void caps_json(struct json *j)
{
#define CAP(name) { #name, name }
	static const struct {
		const char *name;
		long number;
	} caps[] = {
		CAP(KVM_CAP_USER_MEMORY), CAP(KVM_CAP_USER_MEMORY2),
		CAP(KVM_CAP_NR_MEMSLOTS), CAP(KVM_CAP_MULTI_ADDRESS_SPACE),
		CAP(KVM_CAP_READONLY_MEM), CAP(KVM_CAP_MEMORY_FAULT_INFO),
		CAP(KVM_CAP_MEMORY_ATTRIBUTES), CAP(KVM_CAP_GUEST_MEMFD),
		CAP(KVM_CAP_GUEST_MEMFD_FLAGS), CAP(KVM_CAP_VM_TYPES),
		CAP(KVM_CAP_PRE_FAULT_MEMORY), CAP(KVM_CAP_X86_SMM),
		CAP(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2),
		CAP(KVM_CAP_DIRTY_LOG_RING), CAP(KVM_CAP_NR_VCPUS),
		CAP(KVM_CAP_MAX_VCPUS), CAP(KVM_CAP_SYNC_MMU),
		CAP(KVM_CAP_NESTED_STATE),
	};
#undef CAP

	json_open(j, "caps", '{');
	for (size_t i = 0; i < ARRAY_SIZE(caps) && __kvm_open() >= 0; i++)
		json_int(j, caps[i].name, kvm_check_cap(caps[i].number));
	json_close(j, '}');
}

/* The width that a memslot must fit in, and that page-table walks check. */
static int phys_bits(void)
{
	const struct kvm_cpuid_entry2 *e =
		__kvm_open() < 0 ? NULL : kvm_cpuid_entry(0x80000008, 0);

	return e ? (int)(e->eax & 0xff) : 0;
}

/* null where it cannot be known. */
static void meminit_json(struct json *j)
{
	enum meminit state = meminit();

	if (state == MEMINIT_UNKNOWN)
		json_null(j, "init_on_alloc");
	else
		json_bool(j, "init_on_alloc", state == MEMINIT_ON);
}

int facts_print(u64 ms)
{
	static char text[FACTS_BYTES];
	struct utsname uts;
	struct sysinfo info;
	char driver[64];
	struct json j;
	int nodes;

	find_driver(driver, sizeof(driver));
	uname(&uts);
	sysinfo(&info);
	nodes = count_entries("/sys/devices/system/node", "node");
	can_find_out(ms);

	json_init(&j, text, sizeof(text));
	json_open(&j, NULL, '{');
	json_str(&j, "release", uts.release);
	json_str(&j, "machine", uts.machine);
	json_int(&j, "cpus", cpus_allowed());
	json_int(&j, "memory_mib", (long long)(info.totalram * info.mem_unit >> 20));
	json_int(&j, "numa_nodes", nodes ? nodes : 1);
	meminit_json(&j);
	cpu_json(&j);
	json_bool(&j, "kvm", can("kvm"));
	json_str(&j, "kvm_driver", driver[0] ? driver : NULL);
	json_int(&j, "phys_bits", phys_bits());
	params_json(&j, driver);
	json_bool(&j, "nested", kvm_offers_nested());
	caps_json(&j);
	can_json(&j);
	json_close(&j, '}');
	json_newline(&j);
	if (j.full || fwrite(text, 1, j.len, stdout) != j.len || fflush(stdout))
		return 2;
	return 0;
}

static u64 raw_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return (u64)ts.tv_sec * 1000000000ull + (u64)ts.tv_nsec;
}

static u64 rdtsc(void)
{
	u32 lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (u64)hi << 32 | lo;
}

/*
 * One reading of both clocks.  The tightest of a few tries, since being put
 * off between the two readings would look like a faster or slower TSC.
 */
static void read_clocks(u64 *tsc, u64 *ns)
{
	u64 best = ~0ull;

	for (int i = 0; i < 16; i++) {
		u64 before = raw_ns(), middle = rdtsc(), after = raw_ns();

		if (after - before < best) {
			best = after - before;
			*tsc = middle;
			*ns = before + best / 2;
		}
	}
}

int tsc_khz_print(void)
{
	struct timespec span = { .tv_nsec = 60000000 };
	u64 tsc0, tsc1, ns0, ns1;

	read_clocks(&tsc0, &ns0);
	nanosleep(&span, NULL);
	read_clocks(&tsc1, &ns1);
	printf("{\"tsc_khz\":%llu}\n",
	       (unsigned long long)((tsc1 - tsc0) * 1000000 / (ns1 - ns0)));
	return fflush(stdout) ? 2 : 0;
}
