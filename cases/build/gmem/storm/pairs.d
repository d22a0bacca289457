/root/w/surv/cases/build/gmem/storm/pairs.o: gmem/storm/pairs.c \
 lib/cpus.h lib/util.h lib/race.h lib/random.h gmem/storm/storm.h \
 lib/case.h lib/observe.h lib/json.h lib/step.h lib/gmem.h lib/vm.h \
 lib/kvm.h lib/kvm_abi.h lib/memslot.h lib/probe_ops.h lib/vcpu.h \
 ../guest/probe.h lib/supervise.h lib/case.h
lib/cpus.h:
lib/util.h:
lib/race.h:
lib/random.h:
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
