/root/w/surv/cases/build/gmem/storm/all.o: gmem/storm/all.c lib/random.h \
 lib/util.h gmem/storm/storm.h lib/case.h lib/observe.h lib/json.h \
 lib/step.h lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/memslot.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/supervise.h lib/case.h
lib/random.h:
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
lib/supervise.h:
lib/case.h:
