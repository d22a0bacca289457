/root/w/surv/cases/build/memslot/dirty-ring/race.o: \
 memslot/dirty-ring/race.c lib/race.h lib/util.h \
 memslot/dirty-ring/ring.h lib/case.h lib/observe.h lib/json.h lib/step.h \
 lib/memslot.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/probe_ops.h \
 lib/vcpu.h ../guest/probe.h
lib/race.h:
lib/util.h:
memslot/dirty-ring/ring.h:
lib/case.h:
lib/observe.h:
lib/json.h:
lib/step.h:
lib/memslot.h:
lib/vm.h:
lib/kvm.h:
lib/kvm_abi.h:
lib/probe_ops.h:
lib/vcpu.h:
../guest/probe.h:
