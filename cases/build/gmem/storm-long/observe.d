/root/w/surv/cases/build/gmem/storm-long/observe.o: \
 gmem/storm-long/observe.c gmem/storm-long/../storm/storm.h lib/case.h \
 lib/observe.h lib/json.h lib/util.h lib/step.h lib/gmem.h lib/vm.h \
 lib/kvm.h lib/kvm_abi.h lib/memslot.h lib/probe_ops.h lib/vcpu.h \
 ../guest/probe.h
gmem/storm-long/../storm/storm.h:
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
