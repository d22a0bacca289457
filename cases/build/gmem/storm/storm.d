/root/w/surv/cases/build/gmem/storm/storm.o: gmem/storm/storm.c \
 lib/cpus.h lib/util.h lib/hostmem.h lib/race.h gmem/storm/storm.h \
 lib/case.h lib/observe.h lib/json.h lib/step.h lib/gmem.h lib/vm.h \
 lib/kvm.h lib/kvm_abi.h lib/memslot.h lib/probe_ops.h lib/vcpu.h \
 ../guest/probe.h lib/usage.h
lib/cpus.h:
lib/util.h:
lib/hostmem.h:
lib/race.h:
gmem/storm/storm.h:
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
lib/usage.h:
