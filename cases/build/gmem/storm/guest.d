/root/w/surv/cases/build/gmem/storm/guest.o: gmem/storm/guest.c \
 lib/race.h lib/util.h gmem/storm/storm.h lib/case.h lib/observe.h \
 lib/json.h lib/step.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/memslot.h lib/probe_ops.h lib/vcpu.h ../guest/probe.h
lib/race.h:
lib/util.h:
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
