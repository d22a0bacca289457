/root/w/surv/cases/build/memslot/update/race.o: memslot/update/race.c \
 lib/gmem.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/observe.h lib/json.h \
 lib/util.h lib/step.h lib/race.h memslot/update/update.h lib/case.h \
 lib/memslot.h lib/probe_ops.h lib/vcpu.h ../guest/probe.h
lib/gmem.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/race.h:
memslot/update/update.h:
lib/case.h:
lib/memslot.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
