/root/w/surv/cases/build/memslot/dirty-ring/orders.o: \
 memslot/dirty-ring/orders.c lib/random.h lib/util.h \
 memslot/dirty-ring/ring.h lib/case.h lib/observe.h lib/json.h lib/step.h \
 lib/memslot.h lib/vm.h lib/kvm.h lib/kvm_abi.h lib/probe_ops.h \
 lib/vcpu.h ../guest/probe.h
lib/random.h:
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
