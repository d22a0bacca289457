/root/w/surv/cases/build/memslot/hugepage/race.o: memslot/hugepage/race.c \
 memslot/hugepage/huge.h lib/case.h lib/observe.h lib/json.h lib/util.h \
 lib/step.h lib/memslot.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h lib/race.h
memslot/hugepage/huge.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/util.h:
lib/step.h:
lib/memslot.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
lib/race.h:
