/root/w/surv/cases/build/memslot/dirty-ring/observe.o: \
 memslot/dirty-ring/observe.c lib/cpus.h lib/util.h lib/hostmem.h \
 lib/race.h memslot/dirty-ring/ring.h lib/case.h lib/observe.h lib/json.h \
 lib/step.h lib/memslot.h lib/vm.h lib/kvm.h lib/kvm_abi.h \
 lib/probe_ops.h lib/vcpu.h ../guest/probe.h
lib/cpus.h:
lib/util.h:
lib/hostmem.h:
lib/race.h:
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
