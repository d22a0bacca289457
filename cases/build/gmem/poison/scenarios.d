/root/w/surv/cases/build/gmem/poison/scenarios.o: gmem/poison/scenarios.c \
 lib/hostmem.h lib/util.h lib/hwpoison.h gmem/poison/poison.h lib/case.h \
 lib/observe.h lib/json.h lib/step.h lib/gmem.h lib/vm.h lib/kvm.h \
 lib/kvm_abi.h lib/memslot.h lib/probe_ops.h lib/vcpu.h ../guest/probe.h
lib/hostmem.h:
lib/util.h:
lib/hwpoison.h:
gmem/poison/poison.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/step.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
