/root/w/surv/cases/build/gmem/storm/observe.o: gmem/storm/observe.c \
 gmem/storm/storm.h lib/case.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/memslot.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h
gmem/storm/storm.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
