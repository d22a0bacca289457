/root/w/surv/cases/build/gmem/poison-race/observe.o: \
 gmem/poison-race/observe.c lib/case.h lib/observe.h lib/json.h \
 lib/util.h lib/step.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/hostmem.h lib/hwpoison.h lib/memslot.h lib/pfn.h lib/probe_ops.h \
 lib/vcpu.h ../guest/probe.h lib/race.h
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/hostmem.h:
lib/hwpoison.h:
lib/memslot.h:
lib/pfn.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/race.h:
